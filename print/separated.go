package print

import (
	"bytes"
	"io"
	"strings"

	"sluice/schema"
)

// dialect is the format of values and separators.
type dialect struct {
	separator byte
	end       string
	null      string
	append    func(dst, text []byte) []byte
}

// csvDialect follows RFC 4180, except that lines end in LF, which every reader accepts and other
// tools require. A value with a quote, a comma or a line end is quoted. Null is empty, and the
// empty text is quoted.
var csvDialect = dialect{',', "\n", "", appendCSV}

// csvSafeDialect is for spreadsheets, which evaluate a cell that begins with one of formulaStarts
// as a formula: such a value gets an apostrophe before it. All values are quoted, as some
// spreadsheets also separate at semicolons and tabs.
var csvSafeDialect = dialect{',', "\n", "", appendCSVSafe}

// ending returns the dialect with the line ends of the options.
func (d dialect) ending(o Options) dialect {
	if o.CRLF {
		d.end = "\r\n"
	}
	return d
}

const formulaStarts = "=+-@\t\r\n"

func appendCSVSafe(dst, text []byte) []byte {
	dst = append(dst, '"')
	if len(text) > 0 && strings.IndexByte(formulaStarts, text[0]) >= 0 && !isNumber(text) {
		dst = append(dst, '\'')
	}
	return append(csvText.append(dst, text), '"')
}

// isNumber reports whether text is a number: -5 is not a formula.
func isNumber(text []byte) bool {
	digits := bytes.TrimPrefix(text, []byte("-"))
	return len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0
}

// tsvDialect is what PostgreSQL's COPY and MySQL's LOAD DATA read.
var tsvDialect = dialect{'\t', "\n", `\N`, appendTSV}

// separatedPrinter prints csv and tsv: a header, and an entry a line.
type separatedPrinter struct {
	w       io.Writer
	dialect dialect
	header  []string // until it is written
	columns *schema.Columns
	out     []byte
	text    []byte
}

func newSeparated(w io.Writer, columns []schema.Field, d dialect) *separatedPrinter {
	return &separatedPrinter{w: w, dialect: d, header: names(columns), columns: schema.NewColumns(names(columns))}
}

// Print implements [Printer].
func (p *separatedPrinter) Print(e *schema.Entry) error {
	p.out = p.out[:0]
	p.appendHeader()
	for i, place := range p.columns.Of(e.Record) {
		if i > 0 {
			p.out = append(p.out, p.dialect.separator)
		}
		if e.Null(place) {
			p.out = append(p.out, p.dialect.null...)
		} else {
			p.out = p.dialect.append(p.out, e.Text(place, &p.text))
		}
	}
	p.out = append(p.out, p.dialect.end...)
	return write(p.w, p.out)
}

// Flush implements [Printer].
func (p *separatedPrinter) Flush() error { return nil }

// Close implements [Printer]: the header is written even without entries.
func (p *separatedPrinter) Close() error {
	p.out = p.out[:0]
	p.appendHeader()
	return write(p.w, p.out)
}

func (p *separatedPrinter) appendHeader() {
	for i, name := range p.header {
		if i > 0 {
			p.out = append(p.out, p.dialect.separator)
		}
		p.out = p.dialect.append(p.out, []byte(name))
	}
	if p.header != nil {
		p.out = append(p.out, p.dialect.end...)
	}
	p.header = nil
}
