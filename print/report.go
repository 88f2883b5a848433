package print

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/query"
)

// Report prints the answer to a question: json (an object a group), csv, tsv, or table, which draws
// bars for one of the columns and notes below it what is not exact. Of the options only CRLF is
// used.
func Report(w io.Writer, kind string, o Options, r query.Report) error {
	var out []byte
	switch kind {
	case "json":
		out = reportJSON(r)
	case "csv":
		out = reportSeparated(r, csvDialect.ending(o))
	case CSVSafe:
		out = reportSeparated(r, csvSafeDialect.ending(o))
	case "tsv":
		out = reportSeparated(r, tsvDialect)
	case "table":
		out = reportTable(r)
	default:
		return fmt.Errorf("%w %q is not for summaries: use one of json, csv, tsv, table", errKind, kind)
	}
	return write(w, out)
}

func reportJSON(r query.Report) []byte {
	var out []byte
	for _, row := range r.Rows {
		out = append(out, '{')
		for i, v := range row {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendJSON(out, []byte(r.Columns[i])), ':')
			switch {
			case v.Null:
				out = append(out, "null"...)
			case v.Number:
				out = append(out, v.Text...)
			default:
				out = appendJSON(out, []byte(v.Text))
			}
		}
		out = append(out, "}\n"...)
	}
	return out
}

func reportSeparated(r query.Report, d dialect) []byte {
	var out []byte
	for i, name := range r.Columns {
		if i > 0 {
			out = append(out, d.separator)
		}
		out = d.append(out, []byte(name))
	}
	out = append(out, d.end...)
	for _, row := range r.Rows {
		for i, v := range row {
			if i > 0 {
				out = append(out, d.separator)
			}
			switch {
			case v.Null:
				out = append(out, d.null...)
			case v.Number:
				out = append(out, v.Text...)
			default:
				out = d.append(out, []byte(v.Text))
			}
		}
		out = append(out, d.end...)
	}
	return out
}

const (
	// maxKeyRunes bounds a value in a table.
	maxKeyRunes = 100
	barRunes    = 50
)

// reportTable aligns the columns: numbers to the right, with the bars after them.
func reportTable(r query.Report) []byte {
	if len(r.Columns) == 1 && r.Keys == 0 {
		var out []byte
		for _, row := range r.Rows {
			out = append(append(out, row[0].Text...), '\n')
		}
		return out
	}
	cells := make([][]string, len(r.Rows))
	widths, right := make([]int, len(r.Columns)), make([]bool, len(r.Columns))
	names := make([]string, len(r.Columns))
	for i, name := range r.Columns {
		names[i] = string(tableText.append(nil, []byte(name)))
		widths[i], right[i] = utf8.RuneCountInString(names[i]), i >= r.Keys
	}
	highest := 0.0
	for at, row := range r.Rows {
		for i, v := range row {
			cell := reportCell(v)
			cells[at] = append(cells[at], cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
		if r.Bar >= 0 {
			highest = max(highest, row[r.Bar].Float())
		}
	}
	var b strings.Builder
	line := func(cells []string, rest string) {
		var s strings.Builder
		for i, cell := range cells {
			fill := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				s.WriteString(fill + cell + gap)
			} else {
				s.WriteString(cell + fill + gap)
			}
		}
		b.WriteString(strings.TrimRight(s.String()+rest, " ") + "\n")
	}
	line(names, "")
	for at, row := range r.Rows {
		bar := ""
		if r.Bar >= 0 && row[r.Bar].Float() > 0 {
			bar = strings.Repeat("█", max(1, int(row[r.Bar].Float()/highest*barRunes)))
		}
		line(cells[at], bar)
	}
	reportNotes(&b, r)
	return []byte(b.String())
}

// reportNotes notes what is not exact.
func reportNotes(b *strings.Builder, r query.Report) {
	if r.Approximate {
		fmt.Fprintf(b, "(approximate: too many different values to count each; a count is at most so much too high, and a value that is not among these has at most %d)\n",
			max(r.Floor, lowest(r)))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Estimated)) {
		fmt.Fprintf(b, "(%s is an estimate, ± %.1f %%)\n", tableText.append(nil, []byte(name)), 100*r.Estimated[name])
	}
}

// lowest returns the smallest count in the report.
func lowest(r query.Report) int64 {
	if len(r.Rows) == 0 {
		return 0
	}
	return int64(r.Rows[len(r.Rows)-1][r.Keys].Float())
}

// reportCell formats a value for a table: a fraction has two decimals.
func reportCell(v query.Value) string {
	switch {
	case v.Null:
		return null
	case v.Text == "":
		return `""`
	case v.Number && !v.Whole():
		return strconv.FormatFloat(v.Float(), 'f', 2, 64)
	}
	shown := []rune(string(tableText.append(nil, []byte(v.Text))))
	if len(shown) > maxKeyRunes {
		shown = append(shown[:maxKeyRunes-1], '…')
	}
	return string(shown)
}
