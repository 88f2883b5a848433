package print

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/schema"
)

const (
	defaultWidth    = 160
	defaultHeadRows = 1000
	// maxCellBytes bounds a buffered value.
	maxCellBytes = 1024
	// minColumn is the least width of a text column; if that is too wide, lines are longer than the
	// terminal.
	minColumn = 8
	gap       = "  "
)

// tablePrinter prints aligned columns that fit a terminal. The first rows are buffered to determine
// the column widths.
type tablePrinter struct {
	w        io.Writer
	fields   []schema.Field
	columns  *schema.Columns
	all      bool // also show columns that are null in all of the head
	width    int
	headRows int
	zone     *time.Location

	head   [][]string
	widths []int // nil until the head is written; 0: left out
	missed []bool
	out    []byte
	text   []byte
	cell   []byte
}

func newTable(w io.Writer, o Options) *tablePrinter {
	p := &tablePrinter{w: w, all: len(o.Fields) > 0 || o.AllColumns, width: o.Width, headRows: o.HeadRows, zone: o.Zone}
	p.fields = o.columns()
	if len(o.Fields) == 0 {
		p.fields = slices.DeleteFunc(p.fields, func(f schema.Field) bool { return f.Name == schema.LogbodyField })
	}
	if p.width <= 0 {
		p.width = defaultWidth
	}
	if p.headRows <= 0 {
		p.headRows = defaultHeadRows
	}
	p.columns = schema.NewColumns(names(p.fields))
	return p
}

// null is printed for null, as in the log.
const null = "-"

// Print implements [Printer].
func (p *tablePrinter) Print(e *schema.Entry) error {
	if p.widths != nil {
		p.out = p.out[:0]
		for i, place := range p.columns.Of(e.Record) {
			cell := p.format(e, place)
			p.pad(i, cell)
			if p.widths[i] == 0 && string(cell) != null {
				p.missed[i] = true
			}
		}
		return p.writeLine()
	}
	row := make([]string, len(p.fields))
	for i, place := range p.columns.Of(e.Record) {
		row[i] = string(p.format(e, place))
	}
	p.head = append(p.head, row)
	if len(p.head) < p.headRows {
		return nil
	}
	return p.writeHead(false)
}

// Flush implements [Printer].
func (p *tablePrinter) Flush() error {
	if p.widths != nil || len(p.head) == 0 {
		return nil
	}
	return p.writeHead(false)
}

// Close implements [Printer].
func (p *tablePrinter) Close() error {
	if p.widths == nil {
		return p.writeHead(true)
	}
	var missed []string
	for i, f := range p.fields {
		if p.missed[i] {
			missed = append(missed, f.Name)
		}
	}
	if missed == nil {
		return nil
	}
	note := fmt.Sprintf("(not shown, because the first %d rows have none: %s)\n", p.headRows, strings.Join(missed, ", "))
	return write(p.w, []byte(note))
}

// format returns the cell's text: at most maxCellBytes of it, without characters that control a
// terminal.
func (p *tablePrinter) format(e *schema.Entry, place schema.Place) []byte {
	p.cell = p.cell[:0]
	switch {
	case e.Null(place):
		return append(p.cell, null...)
	case place.Kind == schema.Time:
		p.cell = p.appendTime(p.cell, e.Num(place), e.Record.ZoneSeconds)
		return p.cell
	}
	text := e.Text(place, &p.text)
	if len(text) == 0 {
		return append(p.cell, `""`...)
	}
	cut := len(text) > maxCellBytes
	if cut {
		text = text[:maxCellBytes]
		for n := range utf8.UTFMax - 1 { // not within a character
			if utf8.RuneStart(text[len(text)-1-n]) {
				if !utf8.FullRune(text[len(text)-1-n:]) {
					text = text[:len(text)-1-n]
				}
				break
			}
		}
	}
	p.cell = tableText.append(p.cell, text)
	if cut {
		p.cell = append(p.cell, "…"...)
	}
	return p.cell
}

func (p *tablePrinter) appendTime(dst []byte, nanos int64, zoneSeconds int32) []byte {
	layout, zone := "2006-01-02 15:04:05.999999999", p.zone
	if zone == nil {
		layout, zone = layout+" -0700", time.FixedZone("", int(zoneSeconds))
	}
	return time.Unix(0, nanos).In(zone).AppendFormat(dst, layout)
}

// writeHead writes the header and the buffered rows; last means that no more follow.
func (p *tablePrinter) writeHead(last bool) error {
	p.measure(last)
	p.out = p.out[:0]
	for i, f := range p.fields {
		p.pad(i, []byte(f.Name))
	}
	if err := p.writeLine(); err != nil {
		return err
	}
	for _, row := range p.head {
		p.out = p.out[:0]
		for i, cell := range row {
			p.pad(i, []byte(cell))
		}
		if err := p.writeLine(); err != nil {
			return err
		}
	}
	p.head = nil
	return nil
}

// measure fits the columns to the width: text columns are narrowed, the widest first, and get the
// remaining width if more rows may follow.
func (p *tablePrinter) measure(last bool) {
	p.widths, p.missed = make([]int, len(p.fields)), make([]bool, len(p.fields))
	total := -len(gap)
	var texts []*int
	for i, f := range p.fields {
		has := p.all || len(p.head) == 0
		width := utf8.RuneCountInString(f.Name)
		for _, row := range p.head {
			has = has || row[i] != null
			width = max(width, utf8.RuneCountInString(row[i]))
		}
		if !has {
			continue
		}
		p.widths[i] = width
		total += width + len(gap)
		if f.Kind == schema.Text || f.Kind == schema.Addr {
			texts = append(texts, &p.widths[i])
		}
	}
	if len(texts) == 0 {
		return
	}
	for ; total > p.width; total-- {
		widest := slices.MaxFunc(texts, func(a, b *int) int { return *a - *b })
		if *widest <= minColumn {
			break
		}
		*widest--
	}
	for ; total < p.width && !last; total++ {
		*texts[total%len(texts)]++
	}
}

// pad appends a cell of column i to the line, cut or filled to the column's width.
func (p *tablePrinter) pad(i int, cell []byte) {
	width := p.widths[i]
	if width == 0 {
		return
	}
	if len(p.out) > 0 {
		p.out = append(p.out, gap...)
	}
	f := p.fields[i]
	n := utf8.RuneCount(cell)
	fill := max(0, width-n)
	switch {
	case f.Kind == schema.Int:
		p.out = append(appendSpaces(p.out, fill), cell...)
	case n > width && f.Kind != schema.Time:
		at := 0
		for range width - 1 {
			_, size := utf8.DecodeRune(cell[at:])
			at += size
		}
		p.out = append(append(p.out, cell[:at]...), "…"...)
	default:
		p.out = appendSpaces(append(p.out, cell...), fill)
	}
}

func appendSpaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

func (p *tablePrinter) writeLine() error {
	p.out = append(bytes.TrimRight(p.out, " "), '\n')
	return write(p.w, p.out)
}
