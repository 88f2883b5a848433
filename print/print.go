package print

import (
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/query"
	"sluice/schema"
)

// Printer writes entries. It is not safe for concurrent use.
type Printer interface {
	// Print writes one entry. It keeps no reference to it.
	Print(e *schema.Entry) error
	// Flush writes buffered entries. A table's column widths are fixed by the first entries that
	// are flushed.
	Flush() error
	// Close writes buffered entries. It does not close the writer.
	Close() error
}

// Options are the settings of an output.
type Options struct {
	// Fields are the columns, in their order: fields of the formats, also derived ones, and host,
	// file, stream, offset, time, parse_error, logbody. Empty: host if Host is set, the format's
	// fields that are not derived, parse_error and logbody. json then omits an empty parse_error,
	// and adds request to a line whose request was not split; table omits logbody and columns that
	// are null in all of the first rows; avro and avrojson always have the host.
	Fields []string
	// Formats are the fields of the possible formats of entries. Without them names are not
	// checked, and the default columns are only those that all entries have.
	Formats [][]schema.Field
	// Host puts the host before the default columns.
	Host bool
	// Width is the terminal's, in characters, for table; 0 is 160.
	Width int
	// Zone is the zone of the times in a table; nil is the line's own, written out.
	Zone *time.Location
	// HeadRows is the number of rows that a table buffers to determine the column widths; 0 is
	// 1000.
	HeadRows int
	// AllColumns shows a table's columns also where the first rows have no value.
	AllColumns bool
	// CRLF ends the lines of csv in CR LF, for RFC 4180 and Excel.
	CRLF bool
	// Codec compresses the blocks of avro: AvroZstandard, AvroDeflate or AvroNull; "" is
	// AvroZstandard.
	Codec string
}

// kinds are the outputs that New knows.
const kinds = "raw, json, avrojson, avro, csv, tsv, table"

// CSVSafe is csv for spreadsheets: no value is evaluated as a formula.
const CSVSafe = "csv-safe"

// errKind marks an unknown output.
var errKind = errors.New("print: output")

// New returns a printer of one of Kinds. It writes to w once for each entry: use a buffered writer
// for many entries. The error for an unknown field wraps [query.ErrFilter].
func New(w io.Writer, kind string, o Options) (Printer, error) {
	if len(o.Formats) > 0 {
		if err := query.CheckFields(o.Fields, o.Formats...); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "raw":
		return &rawPrinter{w: w}, nil
	case "json":
		return newJSON(w, o), nil
	case "avrojson":
		return newAvroJSON(w, o), nil
	case "avro":
		return newAvro(w, o)
	case "csv":
		return newSeparated(w, o.columns(), csvDialect.ending(o)), nil
	case CSVSafe:
		return newSeparated(w, o.columns(), csvSafeDialect.ending(o)), nil
	case "tsv":
		return newSeparated(w, o.columns(), tsvDialect), nil
	case "table":
		return newTable(w, o), nil
	}
	return nil, fmt.Errorf("%w %q is not known: use one of %s", errKind, kind, kinds)
}

// columns returns the output's fields if all entries have the same.
func (o Options) columns() []schema.Field {
	union := Union(o.Formats...)
	if len(o.Fields) == 0 {
		columns := schema.AvroFields(union)
		if !o.Host {
			columns = columns[1:]
		}
		return columns
	}
	columns := make([]schema.Field, len(o.Fields))
	for i, name := range o.Fields {
		if at := schema.Index(union, name); at >= 0 {
			columns[i] = union[at]
		} else if f, ok := schema.EntryField(name); ok {
			columns[i] = f
		} else {
			columns[i] = schema.Field{Name: name}
		}
	}
	return columns
}

// Union returns the fields of several formats, each once, in the order of their first use. A field
// of two kinds is text.
func Union(formats ...[]schema.Field) []schema.Field {
	var union []schema.Field
	for _, fields := range formats {
		for _, f := range fields {
			at := schema.Index(union, f.Name)
			switch {
			case at < 0:
				union = append(union, f)
			case union[at].Kind != f.Kind:
				union[at].Kind = schema.Text
			}
			if at >= 0 {
				union[at].Derived = union[at].Derived && f.Derived
			}
		}
	}
	return union
}

func names(fields []schema.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// write writes b to w, and wraps the error.
func write(w io.Writer, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// rawPrinter prints the original lines.
type rawPrinter struct {
	w   io.Writer
	buf []byte
}

func (p *rawPrinter) Print(e *schema.Entry) error {
	p.buf = append(append(p.buf[:0], e.Record.Line...), '\n')
	return write(p.w, p.buf)
}

func (p *rawPrinter) Flush() error { return nil }

func (p *rawPrinter) Close() error { return nil }
