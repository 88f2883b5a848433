package columnar

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"sluice/schema"
)

// Want selects rows of a snapshot, and their columns.
type Want struct {
	// From <= time < To, nanoseconds since 1970; To <= 0 is no limit. Rows without a time have time
	// 0.
	From, To int64
	// Streams, if not nil, selects streams.
	Streams []schema.StreamID
	// Columns are the names of the columns to read; nil is all of them.
	Columns []string
	// Filter, if not nil, excludes row groups without matching rows according to their statistics.
	// Rows that do not match may be returned.
	Filter *schema.Filter
}

// chooser returns a chooser for a part with these counts.
func (w *Want) chooser(streams streamSet, counts map[schema.StreamID]schema.RangeSet) *chooser {
	return &chooser{from: w.From, to: w.To, streams: streams, counts: counts}
}

// Batches calls fn with the selected rows, in no particular order. Several goroutines call fn at
// the same time, with worker numbers from 0 to Workers()-1; batch and selection are valid until fn
// returns. The first error ends it.
func (s *Snapshot) Batches(ctx context.Context, w Want, fn func(worker int, b *Batch, rows Selection) error) error {
	jobs := s.jobs(&w)
	queue := make(chan job)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(queue)
		for _, j := range jobs {
			select {
			case queue <- j:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for worker := range min(Workers(), max(len(jobs), 1)) {
		group.Go(func() error {
			r := &batchReader{snapshot: s, want: &w, streams: newStreamSet(w.Streams)}
			for j := range queue {
				if err := ctx.Err(); err != nil {
					return err
				}
				err := j.read(ctx, r, func(b *Batch, rows Selection) error { return fn(worker, b, rows) })
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), abandon(jobs))
}

// InTurn is Batches in the calling goroutine: fn is called for one batch after another.
func (s *Snapshot) InTurn(ctx context.Context, w Want, fn func(b *Batch, rows Selection) error) error {
	jobs := s.jobs(&w)
	r := &batchReader{snapshot: s, want: &w, streams: newStreamSet(w.Streams)}
	var err error
	for i := 0; i < len(jobs) && err == nil; i++ {
		if err = ctx.Err(); err == nil {
			err = jobs[i].read(ctx, r, fn)
		}
	}
	return errors.Join(err, abandon(jobs))
}

// abandon closes the files of jobs that were not run because of an error.
func abandon(jobs []job) error {
	var errs []error
	for _, j := range jobs {
		if g, ok := j.(groupJob); ok {
			errs = append(errs, g.part.abandon())
		}
	}
	return errors.Join(errs...)
}

// job is a unit of work of a worker.
type job interface {
	read(ctx context.Context, r *batchReader, fn func(*Batch, Selection) error) error
}

// batchReader is the state that a worker keeps between jobs.
type batchReader struct {
	snapshot *Snapshot
	want     *Want
	streams  streamSet
	batch    Batch
	fresh    freshReader
}

// jobs returns the fresh lines and the row groups that may have selected rows.
func (s *Snapshot) jobs(w *Want) []job {
	var jobs []job
	for _, f := range s.fresh {
		for _, run := range f.runs(w) {
			jobs = append(jobs, run)
		}
	}
	for _, p := range s.parts {
		for _, j := range groupJobs(p, w) {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// wanted reports whether the part may have rows of the selected streams.
func (p *part) wanted(w *Want) bool {
	return w.Streams == nil || slices.ContainsFunc(p.meta.Streams, func(m StreamMeta) bool {
		return slices.Contains(w.Streams, m.Stream.ID)
	})
}

// wantsGroup reports whether a row group may have selected rows.
func (w *Want) wantsGroup(f *File, group int) bool {
	g := &f.Groups()[group]
	dated := g.Rows > g.Undated && (w.To <= 0 || g.MinTime < w.To) && g.MaxTime >= w.From
	return (dated || g.Undated > 0 && w.From <= 0) && mayMatch(w.Filter, f, g)
}

// rows returns the rows of the group from the first to the last page that may have selected ones.
func (w *Want) rows(f *File, group int) (from, to int) {
	n := f.Groups()[group].Rows
	if w.From <= 0 && w.To <= 0 {
		return 0, n
	}
	from, to = n, 0
	for _, p := range f.pages(group) {
		if p.maxTime >= w.From && (w.To <= 0 || p.minTime < w.To) {
			from, to = min(from, p.firstRow), p.firstRow+p.rows
		}
	}
	return from, to
}

// groupJob is a row group of a part.
type groupJob struct {
	part  *partRead
	group int
	first bool // the part's first selected group
}

func (j groupJob) read(ctx context.Context, r *batchReader, fn func(*Batch, Selection) error) error {
	if err := j.part.begin(ctx, r.snapshot); err != nil {
		return err
	}
	var err error
	switch {
	case !j.part.gone:
		err = r.readGroup(j.part.part, j.group, fn)
	case j.first:
		err = j.readMoved(ctx, r, fn)
	}
	return errors.Join(err, j.part.end())
}

// readMoved reads all rows of the part from the files that have them now.
func (j groupJob) readMoved(ctx context.Context, r *batchReader, fn func(*Batch, Selection) error) error {
	for _, p := range j.part.moved {
		for _, moved := range groupJobs(p, r.want) {
			if err := moved.read(ctx, r, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupJobs returns the row groups of a part that may have selected rows.
func groupJobs(p *part, w *Want) []groupJob {
	if !p.wanted(w) {
		return nil
	}
	shared := &partRead{part: p}
	var jobs []groupJob
	for i := range p.file.Groups() {
		if w.wantsGroup(p.file, i) {
			jobs = append(jobs, groupJob{shared, i, len(jobs) == 0})
		}
	}
	shared.left.Store(int32(len(jobs)))
	return jobs
}

func (r *batchReader) readGroup(p *part, group int, fn func(*Batch, Selection) error) error {
	g := &p.file.Groups()[group]
	choose := r.want.chooser(r.streams, p.counts)
	columns := r.want.Columns
	if columns != nil {
		columns = append(slices.Clone(columns), choose.columns(g)...)
		slices.Sort(columns)
		columns = slices.Compact(columns)
	}
	from, to := r.want.rows(p.file, group)
	if from >= to {
		return nil
	}
	if err := p.file.readRows(group, from, to, columns, &r.batch); err != nil {
		return fmt.Errorf("table: read %s: %w", p.name, err)
	}
	rows := choose.choose(g, &r.batch)
	if rows.Count(r.batch.Rows) == 0 {
		return nil
	}
	return fn(&r.batch, rows)
}
