package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
	"unicode"
)

// Report is the content of the file.
type Report struct {
	From, To, Made time.Time // zero From or To: no bound
	Hosts          string    // the selected hosts; "": all
	Lines          int64
	Bytes          int64 // negative: unknown
	Failed         int64 // lines with status 5xx; negative: unknown
	Daily          bool  // Spans are days, not hours
	Spans          []Span
	Tables         []Table
	Notes          []string // what is missing, and why
	// Form, if not nil, adds a form to choose hosts and times, for the page of the status server.
	// nil: a file without links.
	Form *Form
}

// Form contains the values of the page's input fields, as the user typed them.
type Form struct{ Hosts, Last, From, To string }

// Span contains the counts of an hour or a day.
type Span struct {
	Start time.Time
	// ByClass counts lines by the class of their status. Index 0 is lines without one.
	ByClass [6]int64
	Bytes   int64
}

// Lines returns the number of lines.
func (s *Span) Lines() (n int64) {
	for _, c := range s.ByClass {
		n += c
	}
	return n
}

// Table is a list of values with their counts.
type Table struct {
	Title, Note string
	Columns     []string
	Rows        []Row
}

// Row is a value with one number for each further column, already formatted.
type Row struct {
	Name    string
	Numbers []string
}

//go:embed report.html
var page string

//go:embed report.css
var style string

// Write writes r as HTML to w.
func Write(w io.Writer, r *Report) error {
	t, err := template.New("report").Funcs(template.FuncMap{"visible": Visible, "count": Count, "bytes": Bytes, "share": share}).Parse(page)
	if err != nil {
		return err
	}
	err = t.Execute(w, map[string]any{"R": r, "Chart": newChart(r), "Style": template.CSS(style), "Policy": Policy(r.Form != nil)})
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// Policy returns the Content-Security-Policy of a report, with or without a form.
func Policy(form bool) string {
	sum := sha256.Sum256([]byte(style))
	action := "'none'"
	if form {
		action = "'self'"
	}
	return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action %s", base64.StdEncoding.EncodeToString(sum[:]), action)
}

// Visible shortens s and replaces what is not printable. The text comes from requests, so it may
// contain control characters that move or hide other text.
func Visible(s string) string {
	const maxBytes = 300
	if len(s) > maxBytes {
		s = s[:maxBytes] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Count formats n with thousands separators. A negative n is "–".
func Count(n int64) string {
	if n < 0 {
		return "–"
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// Bytes formats n bytes with a decimal unit. A negative n is "–".
func Bytes(n int64) string {
	if n < 0 {
		return "–"
	}
	const units = "kMGTPE"
	v, i := float64(n), -1
	for v >= 999.95 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i < 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}

// share formats n/of in percent. It is "–" if either is unknown.
func share(n, of int64) string {
	if of <= 0 || n < 0 {
		return "–"
	}
	return fmt.Sprintf("%.2g %%", 100*float64(n)/float64(of))
}
