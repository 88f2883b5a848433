package bulkload

import (
	"bytes"
	"context"
	"errors"

	"sluice/hbase/region"
	"sluice/schema"
)

const (
	// maxWindowBytes bounds the rows that are sorted in memory, of all regions.
	maxWindowBytes = 32 << 20
	// minWindowBytes is the least mean window of a region: some hundred rows.
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
	held   int          // bytes of the window, as counted in sorter.held
	file   *fileWriter  // nil: none was begun
	files  []*localFile // complete, each sorted, overlapping
	bytes  int          // of keys and values that were added
	// exclude and full follow from the number of files that the region had: see storeFiles.
	exclude, full bool
}

// sorter sorts rows into files on the local disk: one run for each region. One call at a time.
type sorter struct {
	local *localDir
	table Table // for rows that sort before what their file has
	// windowBytes bounds the rows in memory, minFileBytes is the size of a region's rows below which
	// no file is begun.
	windowBytes, minFileBytes int

	memory memory
	runs   map[*region.Region]*run
	held   int // bytes of all windows
}

// begin begins a run.
func (s *sorter) begin(r *region.Region, exclude, full bool) *run {
	x := &run{region: r, window: window{memory: &s.memory}, exclude: exclude, full: full}
	s.runs[r] = x
	return x
}

// clear forgets all runs, whose files are loaded.
func (s *sorter) clear() {
	clear(s.runs)
	s.held = 0
}

// localBytes is the size of all files on the local disk. Open files count, because rows in order are
// all written to one file, which is complete only at the end.
func (s *sorter) localBytes() (n int64) {
	for _, r := range s.runs {
		if r.file != nil {
			n += r.file.hfile.Bytes()
		}
		for _, f := range r.files {
			n += f.bytes
		}
	}
	return n
}

// add adds a row to a run. If the windows are full, the lower half of the largest one is written: the
// lines of a log are nearly in order, and rows that follow sort after it. The largest one need not be
// this run's, as regions that get no more rows would keep theirs.
func (s *sorter) add(ctx context.Context, r *run, key []byte, time int64, cells []schema.Cell) error {
	r.window.add(key, time, cells)
	s.count(r)
	r.bytes += len(key) + valueBytes(cells)
	for s.held >= max(s.windowBytes, minWindowBytes*len(s.runs)) {
		most := s.largest()
		most.window.sort()
		if err := s.write(ctx, most, max(1, len(most.window.rows)/2)); err != nil {
			return err
		}
	}
	return nil
}

// count adds to held what a run's window has gained or lost.
func (s *sorter) count(r *run) {
	n := r.window.bytes()
	s.held += n - r.held
	r.held = n
}

// largest returns the run with the largest window.
func (s *sorter) largest() (most *run) {
	for _, r := range s.runs {
		if most == nil || r.held > most.held {
			most = r
		}
	}
	return most
}

// write writes the first n rows of a sorted window to the run's file, and removes them.
func (s *sorter) write(ctx context.Context, r *run, n int) error {
	late := 0
	if r.file != nil {
		for late < n && bytes.Compare(r.window.key(late), r.file.file.last) <= 0 {
			late++
		}
	}
	if late > n/maxLate {
		if err := s.endFile(ctx, r); err != nil {
			return err
		}
		late = 0
	}
	if err := s.putWindow(ctx, r, late); err != nil {
		return err
	}
	for i := late; i < n; i++ {
		if r.file == nil {
			var err error
			if r.file, err = s.local.create(r.exclude); err != nil {
				return err
			}
		}
		if err := r.window.write(r.file, i); err != nil {
			return err
		}
	}
	r.window.remove(n)
	s.count(r)
	return nil
}

// putWindow writes the first n rows of the window with Put.
func (s *sorter) putWindow(ctx context.Context, r *run, n int) error {
	if n == 0 {
		return nil
	}
	var rows schema.Rows
	for i := range n {
		key, time, cells := r.window.row(nil, i)
		rows.Append(key, time, cells)
	}
	return s.table.Put(ctx, &rows)
}

// endFile completes the run's file.
func (s *sorter) endFile(ctx context.Context, r *run) error {
	w := r.file
	r.file = nil
	f, err := w.close()
	if err != nil {
		return err
	}
	r.files = append(r.files, f)
	return s.mergeLevels(ctx, r)
}

// mergeLevels merges the last files of a run when there are fanIn of one level, so that a run never
// has many: each is open when they are merged at the end.
func (s *sorter) mergeLevels(ctx context.Context, r *run) error {
	for {
		level, from := r.files[len(r.files)-1].level, len(r.files)
		for from > 0 && r.files[from-1].level == level {
			from--
		}
		if len(r.files)-from < fanIn {
			return nil
		}
		merged, err := s.local.merge(ctx, r.files[from:], r.exclude)
		if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
			return nil // the files are as before, and a later Flush can load them
		}
		if err != nil {
			return err
		}
		merged.level = level + 1
		r.files = append(r.files[:from], merged)
	}
}

// end writes the rest of a run. Few rows go to Put, if no file was begun.
func (s *sorter) end(ctx context.Context, r *run) error {
	r.window.sort()
	n := len(r.window.rows)
	if r.file == nil && len(r.files) == 0 && r.bytes < s.minFileBytes {
		if err := s.putWindow(ctx, r, n); err != nil {
			return err
		}
		r.window.remove(n)
		s.count(r)
		return nil
	}
	if err := s.write(ctx, r, n); err != nil {
		return err
	}
	if r.file == nil {
		return nil
	}
	return s.endFile(ctx, r)
}

// endAll ends all runs.
func (s *sorter) endAll(ctx context.Context) error {
	for _, r := range s.runs {
		if err := s.end(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// discard removes the files of all runs.
func (s *sorter) discard() error {
	var errs []error
	for _, r := range s.runs {
		errs = append(errs, r.discard()...)
	}
	return errors.Join(errs...)
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
