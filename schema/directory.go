package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// StreamEntry is a stream's own row in the table, so that `--host` and audit need no full scan.
type StreamEntry struct {
	Stream
	// Labels are the operator's labels of the log: site=shop.
	Labels map[string]string `json:",omitempty"`
	// First and Last are the earliest and latest event time among its rows, 0 without a dated row.
	First, Last int64
	// Stored is the position up to which the stream is in table and archive.
	Stored int64
	// Lines and ParseErrors count its rows.
	Lines, ParseErrors int64
	// Schema is the Avro schema of its packed records; empty in other layouts. It is derived from
	// the format, so it is stored only here.
	Schema string `json:"-"`
}

// labelPrefix is the prefix of a label's name in the qualifier of a directory row.
const labelPrefix = "label:"

// Extend extends First and Last by the time of a dated line.
func (e *StreamEntry) Extend(time int64) {
	if e.First == 0 || time < e.First {
		e.First = time
	}
	e.Last = max(e.Last, time)
}

// AppendStream adds the stream's own row. All its cells are text, so that they are readable in a
// shell.
func (l Layout) AppendStream(rows *Rows, e *StreamEntry) {
	rows.keys = l.directoryKey(rows.keys, e.ID)
	text := func(qualifier, value string) {
		rows.cells = append(rows.cells, Cell{qualifier, rows.keep([]byte(value)), 0})
	}
	number := func(qualifier string, n int64) { text(qualifier, strconv.FormatInt(n, 10)) }
	number("errors", e.ParseErrors)
	number("first", e.First)
	text("format", e.Format)
	text("host", e.Host)
	for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
		text(labelPrefix+name, e.Labels[name])
	}
	number("last", e.Last)
	number("lines", e.Lines)
	text("path", e.Path)
	if e.Schema != "" {
		text("schema", e.Schema)
	}
	if e.Sparse {
		text("sparse", "true")
	}
	number("stored", e.Stored)
	text("stream", e.ID.String())
	text("zone", e.Zone)
	rows.end(0)
}

// ParseStream parses a row of the stream directory.
func (l Layout) ParseStream(row *Row) (StreamEntry, error) {
	var e StreamEntry
	var errs []error
	for _, c := range row.Cells {
		number := func(n *int64) {
			var err error
			*n, err = strconv.ParseInt(string(c.Value), 10, 64)
			errs = append(errs, err)
		}
		if name, ok := strings.CutPrefix(c.Qualifier, labelPrefix); ok {
			if e.Labels == nil {
				e.Labels = map[string]string{}
			}
			e.Labels[name] = string(c.Value)
		}
		switch c.Qualifier {
		case "errors":
			number(&e.ParseErrors)
		case "first":
			number(&e.First)
		case "format":
			e.Format = string(c.Value)
		case "host":
			e.Host = string(c.Value)
		case "last":
			number(&e.Last)
		case "lines":
			number(&e.Lines)
		case "path":
			e.Path = string(c.Value)
		case "schema":
			e.Schema = string(c.Value)
		case "sparse":
			e.Sparse = string(c.Value) == "true"
		case "stored":
			number(&e.Stored)
		case "stream":
			var err error
			e.ID, err = ParseStreamID(string(c.Value))
			errs = append(errs, err)
		case "zone":
			e.Zone = string(c.Value)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return e, fmt.Errorf("%w: stream directory row %x: %w", errLayout, row.Key, err)
	}
	return e, nil
}
