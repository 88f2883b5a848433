package bulkload

import (
	"bytes"
	"context"

	"sluice/hbase/region"
	"sluice/schema"
)

const (
	// windowRows is the number of rows of a region that are sorted at a time: those of a log are
	// nearly in order. At twice that the lower half is written.
	windowRows = 1024
	// maxLate is the part of a window, in rows, that may sort before what the file has already:
	// such rows go to Put. If there are more, older lines follow, and a new file begins.
	maxLate = windowRows / 8
)

// run is the open file of one region, and the rows that are still to be sorted.
type run struct {
	region      *region.Region
	window      buffer
	spare       buffer
	windowBytes int
	file        *fileWriter // nil: none was begun
	cells       []schema.Cell
}

// addTo adds a row to a run.
func (l *Loader) addTo(ctx context.Context, r *run, key []byte, time int64, cells []schema.Cell) error {
	r.window.add(key, time, cells)
	if len(r.window.rows) < 2*windowRows && len(r.window.arena) < maxWindowBytes {
		return nil
	}
	r.window.sort()
	half := max(1, len(r.window.rows)/2)
	if err := l.write(ctx, r, half); err != nil {
		return err
	}
	r.window.moveTo(&r.spare, half)
	r.window, r.spare = r.spare, r.window
	return nil
}

// write writes the first n rows of a sorted window to the run's file.
func (l *Loader) write(ctx context.Context, r *run, n int) error {
	late := 0
	if r.file != nil {
		for late < n && bytes.Compare(r.window.key(late), r.file.file.last) <= 0 {
			late++
		}
	}
	if late > maxLate {
		if err := l.endFile(r); err != nil {
			return err
		}
		late = 0
	}
	if err := l.putWindow(ctx, r, 0, late); err != nil {
		return err
	}
	for i := late; i < n; i++ {
		if r.file == nil {
			var err error
			if r.file, err = l.create(true); err != nil {
				return err
			}
		}
		var key []byte
		var time int64
		key, time, r.cells = r.window.row(r.cells[:0], i)
		if err := r.file.add(key, time, r.cells); err != nil {
			return err
		}
	}
	return nil
}

// putWindow writes rows of the window with Put.
func (l *Loader) putWindow(ctx context.Context, r *run, from, to int) error {
	if from == to {
		return nil
	}
	var rows schema.Rows
	for i := from; i < to; i++ {
		key, time, cells := r.window.row(nil, i)
		rows.Append(key, time, cells)
	}
	l.put += int64(to - from)
	return l.table.Put(ctx, &rows)
}

// endFile completes the run's file.
func (l *Loader) endFile(r *run) error {
	w := r.file
	r.file = nil
	f, err := w.close()
	if err != nil {
		return err
	}
	l.files = append(l.files, f)
	return nil
}

// end writes the rest of a run. Few rows go to Put, if no file was begun.
func (l *Loader) end(ctx context.Context, r *run) error {
	r.window.sort()
	n := len(r.window.rows)
	if r.file == nil && len(r.window.arena) < l.o.MinFileBytes {
		err := l.putWindow(ctx, r, 0, n)
		r.window.reset()
		return err
	}
	if err := l.write(ctx, r, n); err != nil {
		return err
	}
	r.window.reset()
	if r.file == nil {
		return nil
	}
	return l.endFile(r)
}
