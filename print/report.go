package print

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/query"
)

// Report writes what a summary counted: json (an object a group), csv, tsv, or
// table, in which groups that follow one another have bars. Counts that can be
// too high have a column for by how much.
func Report(w io.Writer, kind string, r query.Report) error {
	var out []byte
	switch kind {
	case "json":
		out = reportJSON(r)
	case "csv":
		out = reportSeparated(r, csvDialect)
	case CSVSafe:
		out = reportSeparated(r, csvSafeDialect)
	case "tsv":
		out = reportSeparated(r, tsvDialect)
	case "table":
		out = reportTable(r)
	default:
		return fmt.Errorf("%w %q is not for summaries: use one of json, csv, tsv, table", ErrKind, kind)
	}
	return write(w, out)
}

const (
	countColumn  = "count"
	excessColumn = "too_high_by" // at most
)

func reportJSON(r query.Report) []byte {
	var out []byte
	for _, g := range r.Groups {
		out = append(out, '{')
		if r.Key != "" {
			out = append(appendJSON(out, []byte(r.Key)), ':')
			switch {
			case g.Null:
				out = append(out, "null"...)
			case g.Number:
				out = append(out, g.Value...)
			default:
				out = appendJSON(out, []byte(g.Value))
			}
			out = append(out, ',')
		}
		out = fmt.Appendf(out, `"%s":%d`, countColumn, g.Count)
		if r.Approximate {
			out = fmt.Appendf(out, `,"%s":%d`, excessColumn, g.Excess)
		}
		out = append(out, "}\n"...)
	}
	return out
}

func reportSeparated(r query.Report, d dialect) []byte {
	var out []byte
	line := func(key, null bool, value, count, excess string) {
		if key && null {
			out = append(append(out, d.null...), d.separator)
		} else if key {
			out = append(d.append(out, []byte(value)), d.separator)
		}
		out = append(out, count...)
		if r.Approximate {
			out = append(append(out, d.separator), excess...)
		}
		out = append(out, d.end...)
	}
	line(r.Key != "", false, r.Key, countColumn, excessColumn)
	for _, g := range r.Groups {
		line(r.Key != "", g.Null, g.Value, strconv.FormatInt(g.Count, 10), strconv.FormatInt(g.Excess, 10))
	}
	return out
}

const (
	// maxKeyRunes bounds a value in a table.
	maxKeyRunes = 100
	barRunes    = 50
)

func reportTable(r query.Report) []byte {
	if r.Key == "" {
		var out []byte
		for _, g := range r.Groups {
			out = append(strconv.AppendInt(out, g.Count, 10), '\n')
		}
		return out
	}
	keys, keyWidth, highest := make([]string, len(r.Groups)), utf8.RuneCountInString(r.Key), int64(1)
	countWidth := len(countColumn)
	for i, g := range r.Groups {
		keys[i] = reportKey(g)
		keyWidth = max(keyWidth, utf8.RuneCountInString(keys[i]))
		countWidth = max(countWidth, len(strconv.FormatInt(g.Count, 10)))
		highest = max(highest, g.Count)
	}
	var b strings.Builder
	line := func(key, count, rest string) {
		s := fmt.Sprintf("%-*s  %*s  %s", keyWidth, key, countWidth, count, rest)
		b.WriteString(strings.TrimRight(s, " ") + "\n")
	}
	rest := ""
	if r.Approximate {
		rest = excessColumn
	}
	line(r.Key, countColumn, rest)
	for i, g := range r.Groups {
		rest := ""
		switch {
		case r.Approximate:
			rest = strconv.FormatInt(g.Excess, 10)
		case r.Bars && g.Count > 0:
			rest = strings.Repeat("█", max(1, int(float64(g.Count)/float64(highest)*barRunes)))
		}
		line(keys[i], strconv.FormatInt(g.Count, 10), rest)
	}
	if r.Approximate {
		fmt.Fprintf(&b, "(approximate: too many different values to count each; a count is at most so much too high, and a value that is not among these has at most %d)\n",
			max(r.Floor, lowest(r)))
	}
	return []byte(b.String())
}

// lowest is the least count that made it into the report.
func lowest(r query.Report) int64 {
	if len(r.Groups) == 0 {
		return 0
	}
	return r.Groups[len(r.Groups)-1].Count
}

// reportKey is a group's value as a table shows it.
func reportKey(g query.Group) string {
	switch {
	case g.Null:
		return null
	case g.Value == "":
		return `""`
	}
	shown := []rune(string(tableText.append(nil, []byte(g.Value))))
	if len(shown) > maxKeyRunes {
		shown = append(shown[:maxKeyRunes-1], '…')
	}
	return string(shown)
}
