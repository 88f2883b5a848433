package columnar

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sluice/schema"
)

// mergedGroupRows is the number of rows of a row group of a merged file.
const mergedGroupRows = 131_072

// writeMerged writes the rows of inputs, in their order, as one file. As a Writer sorts the rows of
// a row group itself, a row group gets the next rows of each input as a block, not row by row.
func writeMerged(ctx context.Context, out io.Writer, inputs []mergeInput, ranges []*StreamMeta, o WriterOptions) (meta Meta, err error) {
	o.RowGroupRows = mergedGroupRows
	w := NewWriter(out, o)
	for _, s := range ranges {
		w.addRanges(s)
	}
	m := &fileMerge{writer: w}
	for i := range inputs {
		c := &mergeCursor{input: &inputs[i]}
		c.choose = chooser{counts: inputs[i].part.counts}
		if err := inputs[i].part.source.use(); err != nil {
			return meta, errors.Join(err, m.release())
		}
		m.opened = append(m.opened, inputs[i].part.source)
		more, err := c.read()
		if err != nil {
			return meta, errors.Join(err, m.release())
		}
		if more {
			m.push(c)
		}
	}
	err = m.run(ctx)
	if err == nil {
		meta, err = w.Close()
	}
	return meta, errors.Join(err, m.release())
}

// fileMerge is the state of a merge of files.
type fileMerge struct {
	writer *Writer
	heap   []*mergeCursor
	opened []*source
}

func (m *fileMerge) release() error {
	var errs []error
	for _, s := range m.opened {
		errs = append(errs, s.release())
	}
	return errors.Join(errs...)
}

// mergeCursor is an input with some of its rows.
type mergeCursor struct {
	input  *mergeInput
	choose chooser
	group  int // index of input.groups
	row    int // next row to read of the group

	batch   Batch
	rows    []int32 // selected
	at      int     // of rows
	written int     // of rows, passed to the writer
	times   *Column
	streams *Column
	offsets *Column
	ids     []schema.StreamID // of the dictionary of streams
}

// read reads the next rows; false if there are no more.
func (c *mergeCursor) read() (bool, error) {
	p := c.input.part
	for c.group < len(c.input.groups) {
		g := c.input.groups[c.group]
		info := &p.file.Groups()[g]
		if c.row >= info.Rows {
			c.group, c.row = c.group+1, 0
			continue
		}
		from, to := c.row, min(c.row+mergeReadRows, info.Rows)
		if err := p.file.readRows(g, from, to, nil, &c.batch); err != nil {
			return false, fmt.Errorf("%s: %w", p.name, err)
		}
		c.row = to
		c.take(c.choose.choose(info, &c.batch))
		if len(c.rows) > 0 {
			return true, c.locate()
		}
	}
	return false, nil
}

func (c *mergeCursor) take(rows Selection) {
	c.rows, c.at, c.written = c.rows[:0], 0, 0
	for i := range c.batch.Rows {
		if rows.Has(i) {
			c.rows = append(c.rows, int32(i))
		}
	}
}

// locate finds the columns of the keys.
func (c *mergeCursor) locate() error {
	c.times, c.streams, c.offsets = c.batch.Column(schema.TimeField), c.batch.Column(schema.StreamField), c.batch.Column(schema.OffsetField)
	c.ids = c.ids[:0]
	for _, text := range c.streams.Dict {
		id, err := schema.ParseStreamID(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", c.input.part.name, err)
		}
		c.ids = append(c.ids, id)
	}
	return nil
}

// key is that of the next row.
func (c *mergeCursor) key() schema.RowOrder {
	i := c.rows[c.at]
	k := schema.RowOrder{Stream: c.ids[c.streams.Codes[i]], Offset: c.offsets.Ints[i]}
	if c.times != nil && !c.times.Null(int(i)) {
		k.Time = c.times.Ints[i]
	}
	return k
}

// flush passes the consumed rows to the writer.
func (c *mergeCursor) flush(w *Writer) error {
	if c.at == c.written {
		return nil
	}
	rows := c.rows[c.written:c.at]
	c.written = c.at
	return w.appendMerged(&c.batch, rows)
}

func (m *fileMerge) run(ctx context.Context) error {
	for n := 1; len(m.heap) > 0; n++ {
		c := m.heap[0]
		c.at++
		if n%mergedGroupRows == 0 {
			if err := errors.Join(ctx.Err(), m.flush()); err != nil {
				return err
			}
		}
		if c.at == len(c.rows) {
			if err := c.flush(m.writer); err != nil {
				return err
			}
			more, err := c.read()
			if err != nil {
				return err
			}
			if !more {
				last := len(m.heap) - 1
				m.heap[0] = m.heap[last]
				m.heap = m.heap[:last]
			}
		}
		m.down()
	}
	return nil
}

// flush passes the consumed rows of all cursors to the writer: they become a row group.
func (m *fileMerge) flush() error {
	for _, c := range m.heap {
		if err := c.flush(m.writer); err != nil {
			return err
		}
	}
	return nil
}

func (m *fileMerge) push(c *mergeCursor) {
	m.heap = append(m.heap, c)
	for i := len(m.heap) - 1; i > 0 && m.less(i, (i-1)/2); i = (i - 1) / 2 {
		m.heap[i], m.heap[(i-1)/2] = m.heap[(i-1)/2], m.heap[i]
	}
}

func (m *fileMerge) less(i, j int) bool { return m.heap[i].key().Compare(m.heap[j].key()) < 0 }

// down moves the first cursor to its place.
func (m *fileMerge) down() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if m.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}
