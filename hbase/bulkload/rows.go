package bulkload

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"iter"
	"os"

	"sluice/hbase/hfile"
	"sluice/schema"
)

// row is a row that was read from a file. Its bytes are valid until the next one.
type row struct {
	key   []byte
	time  int64 // nanoseconds, in whole milliseconds
	cells []schema.Cell
}

// errStop ends reading a file.
var errStop = errors.New("reading was stopped")

// rows returns the rows of a file in their order. An error, also ctx's, is the last element: a file may
// have gigabytes, and an interrupt does not wait for its end.
func (d *localDir) rows(ctx context.Context, f *localFile) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		in, err := os.Open(f.path)
		if err != nil {
			yield(nil, err)
			return
		}
		var next row
		var values []byte
		pass := func() error {
			if len(next.cells) > 0 && !yield(&next, nil) {
				return errStop
			}
			next.cells, values = next.cells[:0], values[:0]
			return nil
		}
		err = hfile.Read(in, d.compression, func(c hfile.Cell) error {
			if !bytes.Equal(c.Row, next.key) {
				if err := pass(); err != nil {
					return err
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				next.key, next.time = append(next.key[:0], c.Row...), int64(c.Timestamp)*1e6
			}
			at := len(values)
			values = append(values, c.Value...) // growing does not move earlier values
			next.cells = append(next.cells, schema.Cell{Qualifier: d.intern(c.Qualifier), Value: values[at:len(values):len(values)]})
			return nil
		})
		if err == nil {
			err = pass()
		}
		err = errors.Join(err, in.Close())
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

// intern returns a qualifier as a string; there are some dozens of them.
func (d *localDir) intern(qualifier []byte) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.qualifiers[string(qualifier)]
	if !ok {
		if d.qualifiers == nil {
			d.qualifiers = map[string]string{}
		}
		s = string(qualifier)
		d.qualifiers[s] = s
	}
	return s
}

// source is a file that is being merged, at its next row.
type source struct {
	*row
	index int // a later file replaces rows of earlier ones
	pull  func() (*row, error, bool)
	stop  func()
}

// sources is a heap by key.
type sources []*source

func (s sources) Len() int      { return len(s) }
func (s sources) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s sources) Less(i, j int) bool {
	c := bytes.Compare(s[i].key, s[j].key)
	return c < 0 || c == 0 && s[i].index > s[j].index
}
func (s *sources) Push(x any) { *s = append(*s, x.(*source)) }
func (s *sources) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// merge makes one file of several of a region, and removes them.
func (d *localDir) merge(ctx context.Context, files []*localFile, exclude bool) (merged *localFile, err error) {
	w, err := d.create(exclude)
	if err != nil {
		return nil, err
	}
	if err := d.mergeInto(ctx, w, files); err != nil {
		return nil, errors.Join(err, w.discard())
	}
	if merged, err = w.close(); err != nil {
		return nil, err
	}
	for _, f := range files {
		err = errors.Join(err, f.remove())
	}
	return merged, err
}

func (d *localDir) mergeInto(ctx context.Context, w *fileWriter, files []*localFile) error {
	var open sources
	defer func() {
		for _, s := range open {
			s.stop()
		}
	}()
	for i, f := range files {
		s := &source{index: i}
		s.pull, s.stop = iter.Pull2(d.rows(ctx, f))
		more, err := s.next()
		if err != nil {
			return err
		}
		if more {
			open = append(open, s)
		}
	}
	heap.Init(&open)
	var last []byte
	for len(open) > 0 {
		s := open[0]
		if !bytes.Equal(s.key, last) {
			if err := w.add(s.key, s.time, s.cells); err != nil {
				return err
			}
			last = append(last[:0], s.key...)
		}
		switch more, err := s.next(); {
		case err != nil:
			return err
		case more:
			heap.Fix(&open, 0)
		default:
			heap.Pop(&open)
		}
	}
	return nil
}

// next reads the next row; without one the source is closed.
func (s *source) next() (more bool, err error) {
	s.row, err, more = s.pull()
	if !more || err != nil {
		s.stop()
		return false, err
	}
	return true, nil
}
