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
	// Print writes one entry, of which it keeps nothing.
	Print(e *schema.Entry) error
	// Flush writes the entries that are held back, so that a reader sees them now. A
	// table's column widths are fixed by the first entries that are flushed.
	Flush() error
	// Close writes what is held back. It does not close the writer.
	Close() error
}

// Options say what is printed.
type Options struct {
	// Fields are the columns wanted, in their order: fields of the formats,
	// derived ones too, and host, file, stream, offset, time, parse_error, logbody.
	// Empty: host where Host is set, the format's fields that are not derived,
	// parse_error and logbody. json then leaves out parse_error where there is
	// none, and adds request to a line whose request was not split; table leaves
	// out logbody and what is null in all of the first rows; avro and avrojson
	// always have the host.
	Fields []string
	// Formats are the fields of the formats that entries can have. Without them
	// names are not checked, and the default columns are only those that all
	// entries have.
	Formats [][]schema.Field
	// Host puts the host before the default columns.
	Host bool
	// Width is the terminal's, in characters, for table; 0 is 160.
	Width int
	// Zone is the zone of the times in a table; nil is the line's own, written out.
	Zone *time.Location
	// HeadRows is how many rows a table holds back to see how wide its columns
	// must be; 0 is 1000.
	HeadRows int
	// AllColumns shows a table's columns also where the first rows have no value.
	AllColumns bool
	// CRLF ends the lines of csv in CR LF, as RFC 4180 and Excel have it.
	CRLF bool
	// Codec compresses the blocks of avro: AvroZstandard, AvroDeflate or AvroNull; "" is
	// AvroZstandard.
	Codec string
}

// Kinds are the outputs that New knows.
const Kinds = "raw, json, avrojson, avro, csv, tsv, table"

// CSVSafe is csv for a spreadsheet: no value is a formula there.
const CSVSafe = "csv-safe"

// ErrKind marks an output that there is not.
var ErrKind = errors.New("print: output")

// New returns a printer of one of Kinds. It writes w once an entry: give it a
// buffered writer where entries are many. An unknown field's error wraps
// [query.ErrFilter].
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
	return nil, fmt.Errorf("%w %q is not known: use one of %s", ErrKind, kind, Kinds)
}

// columns are the output's fields where all entries have the same.
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

// Union is the fields of several formats, each once, in the order in which they
// are first seen. What is of two kinds is text.
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

// write hands b to w, and says what failed.
func write(w io.Writer, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// rawPrinter prints lines as they were.
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
