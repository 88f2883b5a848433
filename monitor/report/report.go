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

// Report is what the file says.
type Report struct {
	From, To, Made time.Time // From or To zero: no bound
	Hosts          string    // those that were asked for; "": all
	Lines          int64
	Bytes          int64 // negative: not known
	Failed         int64 // 5xx; negative: not known
	Daily          bool  // Spans are days
	Spans          []Span
	Tables         []Table
	Notes          []string // what is missing, and why
	// Form makes it a page of the status server, on which hosts and times can be chosen; nil: a
	// file that links to nothing.
	Form *Form
}

// Form has what was asked for, as it was written.
type Form struct{ Hosts, Last, From, To string }

// Span is an hour, or a day.
type Span struct {
	Start time.Time
	// ByClass are the lines by the class of their status; index 0 is every other line.
	ByClass [6]int64
	Bytes   int64
}

// Lines is the number of lines.
func (s *Span) Lines() (n int64) {
	for _, c := range s.ByClass {
		n += c
	}
	return n
}

// Table is a list of values and what was counted of them.
type Table struct {
	Title, Note string
	Columns     []string
	Rows        []Row
}

// Row is a value and its numbers.
type Row struct {
	Name    string
	Numbers []string
}

//go:embed report.html
var page string

//go:embed report.css
var style string

// Write writes the report.
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

// Visible is a text of the table, that anybody may have sent, without what moves or hides others.
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

// Count is a number for people.
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

// Bytes is a length for people.
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

// share is a part of all in percent.
func share(n, of int64) string {
	if of <= 0 || n < 0 {
		return "–"
	}
	return fmt.Sprintf("%.2g %%", 100*float64(n)/float64(of))
}
