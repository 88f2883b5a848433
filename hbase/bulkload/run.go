package bulkload

import (
	"bytes"
	"context"

	"sluice/hbase/region"
	"sluice/schema"
)

const (
	// maxWindowBytes bounds the rows that are sorted in memory, of all regions.
	maxWindowBytes = 32 << 20
	// minWindowBytes is the least window of one region: some hundred rows.
	minWindowBytes = 256 << 10
	// maxLate is the part of a window that may sort before what the file has already: such rows go
	// to Put. If there are more, older lines follow, and another file begins.
	maxLate = 8
)

// fanIn is the number of files that are merged into one.
const fanIn = 16

// run is the rows of one region: those that are still to be sorted, the open file, and complete
// ones.
type run struct {
	region *region.Region
	window window
	file   *fileWriter  // nil: none was begun
	files  []*localFile // complete, each sorted, overlapping
	bytes  int          // of keys and values that were added
	// exclude and full follow from the number of files that the region had: see storeFiles.
	exclude, full bool
}

// addTo adds a row to a run. If the window is full, its lower half is written: the lines of a log
// are nearly in order, and rows that follow sort after it.
func (l *Loader) addTo(ctx context.Context, r *run, key []byte, time int64, cells []schema.Cell) error {
	r.window.add(key, time, cells)
	r.bytes += len(key)
	for i := range cells {
		r.bytes += len(cells[i].Value)
	}
	if r.window.bytes() < l.windowBytes() {
		return nil
	}
	r.window.sort()
	return l.write(ctx, r, max(1, len(r.window.rows)/2))
}

// windowBytes is the share of one region.
func (l *Loader) windowBytes() int { return max(minWindowBytes, l.o.WindowBytes/max(1, len(l.runs))) }

// write writes the first n rows of a sorted window to the run's file, and removes them.
func (l *Loader) write(ctx context.Context, r *run, n int) error {
	late := 0
	if r.file != nil {
		for late < n && bytes.Compare(r.window.key(late), r.file.file.last) <= 0 {
			late++
		}
	}
	if late > n/maxLate {
		if err := l.endFile(r); err != nil {
			return err
		}
		late = 0
	}
	if err := l.putWindow(ctx, r, late); err != nil {
		return err
	}
	for i := late; i < n; i++ {
		if r.file == nil {
			var err error
			if r.file, err = l.create(r.exclude); err != nil {
				return err
			}
		}
		if err := r.window.write(r.file, i); err != nil {
			return err
		}
	}
	r.window.remove(n)
	return nil
}

// putWindow writes the first n rows of the window with Put.
func (l *Loader) putWindow(ctx context.Context, r *run, n int) error {
	if n == 0 {
		return nil
	}
	var rows schema.Rows
	for i := range n {
		key, time, cells := r.window.row(nil, i)
		rows.Append(key, time, cells)
	}
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
	r.files = append(r.files, f)
	l.localBytes += f.bytes
	return l.mergeLevels(r)
}

// mergeLevels merges the last files of a run when there are fanIn of one level, so that a run never
// has many: each is open when they are merged at the end.
func (l *Loader) mergeLevels(r *run) error {
	for {
		level, from := r.files[len(r.files)-1].level, len(r.files)
		for from > 0 && r.files[from-1].level == level {
			from--
		}
		if len(r.files)-from < fanIn {
			return nil
		}
		merged, err := l.merge(r.files[from:], r.exclude)
		if err != nil {
			return err
		}
		merged.level = level + 1
		r.files = append(r.files[:from], merged)
	}
}

// end writes the rest of a run. Few rows go to Put, if no file was begun.
func (l *Loader) end(ctx context.Context, r *run) error {
	r.window.sort()
	n := len(r.window.rows)
	if r.file == nil && len(r.files) == 0 && r.bytes < l.o.MinFileBytes {
		if err := l.putWindow(ctx, r, n); err != nil {
			return err
		}
		r.window.remove(n)
		return nil
	}
	if err := l.write(ctx, r, n); err != nil {
		return err
	}
	if r.file == nil {
		return nil
	}
	return l.endFile(r)
}

// discard removes a run's files.
func (r *run) discard() (errs []error) {
	if r.file != nil {
		errs = append(errs, r.file.discard())
	}
	for _, f := range r.files {
		errs = append(errs, f.remove())
	}
	return errs
}
