package print

import (
	"fmt"
	"io"
	"strconv"

	"sluice/schema"
)

// avroRecord is the name of the record in Avro files.
const avroRecord = "sluice.Access"

// avroColumns returns the columns. By default they include the host, so that one schema is valid
// for parse, scan and `sluice schema avro`.
func (o Options) avroColumns() []schema.Field {
	o.Host = true
	return o.columns()
}

// avroPrinter writes an object container file.
type avroPrinter struct {
	file   *container
	encode *schema.AvroEncoder
}

func newAvro(w io.Writer, o Options) (*avroPrinter, error) {
	columns := o.avroColumns()
	text, err := schema.AvroSchema(avroRecord, columns)
	if err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	file, err := newContainer(w, text, o.Codec)
	if err != nil {
		return nil, err
	}
	return &avroPrinter{file: file, encode: schema.NewAvroEncoder(columns)}, nil
}

// Print implements [Printer].
func (p *avroPrinter) Print(e *schema.Entry) error {
	p.file.block = p.encode.Append(p.file.block, e)
	return p.file.end()
}

// Close implements [Printer].
func (p *avroPrinter) Close() error { return p.file.flush() }

// Flush implements [Printer]: it ends the block, even with few records.
func (p *avroPrinter) Flush() error { return p.file.flush() }

// avroJSONPrinter prints the records of the container file in Avro's JSON encoding, one on each
// line, like avro-tools tojson.
type avroJSONPrinter struct {
	w       io.Writer
	fields  []schema.Field
	keys    [][]byte
	columns *schema.Columns
	out     []byte
	text    []byte
}

func newAvroJSON(w io.Writer, o Options) *avroJSONPrinter {
	p := &avroJSONPrinter{w: w, fields: o.avroColumns()}
	for _, f := range p.fields {
		p.keys = append(p.keys, append(appendJSON(nil, []byte(schema.AvroName(f.Name))), ':'))
	}
	p.columns = schema.NewColumns(names(p.fields))
	return p
}

// Print implements [Printer].
func (p *avroJSONPrinter) Print(e *schema.Entry) error {
	p.out = append(p.out[:0], '{')
	for i, place := range p.columns.Of(e.Record) {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		p.out = append(p.out, p.keys[i]...)
		p.value(p.fields[i], e, place)
	}
	p.out = append(p.out, "}\n"...)
	return write(p.w, p.out)
}

// Close implements [Printer].
func (p *avroJSONPrinter) Close() error { return nil }

// Flush implements [Printer].
func (p *avroJSONPrinter) Flush() error { return nil }

func (p *avroJSONPrinter) value(f schema.Field, e *schema.Entry, place schema.Place) {
	number := f.Kind == schema.Int || f.Kind == schema.Time
	switch {
	case f.Name == schema.LogbodyField:
		p.out = appendLatin1(p.out, e.Record.Line)
	case f.Name == schema.HostField:
		p.out = appendJSON(p.out, e.Text(place, &p.text))
	case e.Null(place) || number && place.Kind != f.Kind:
		p.out = append(p.out, "null"...)
	case number:
		n := e.Num(place)
		if f.Kind == schema.Time {
			n = schema.AvroMicros(n)
		}
		p.out = append(strconv.AppendInt(append(p.out, `{"long":`...), n, 10), '}')
	default:
		p.out = append(appendJSON(append(p.out, `{"string":`...), e.Text(place, &p.text)), '}')
	}
}
