package columnar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sluice/archive"
	"sluice/schema"
)

// PruneOptions select the files to remove.
type PruneOptions struct {
	// Partitions parses the name of a directory of the tree; nil: day=20260903 and host=web01.
	Partitions func(dir string) Partition
	// Before is the first moment that is kept: a file is removed if all its rows are of days that
	// ended before it in every time zone.
	Before time.Time
	// Stored reports whether a stream is known to be stored up to an offset. A file with a range
	// that is not is kept.
	Stored func(id schema.StreamID, end int64) bool
	// Note is called with the streams of a file before it is removed, to record them durably. An
	// error keeps the file.
	Note func([]StreamMeta) error
	// DryRun reports without removing.
	DryRun bool
}

// Pruning is the result of Prune.
type Pruning struct {
	Files       int
	Bytes, Rows int64
	// NotStored counts old files that were kept because not all of their lines are known to be
	// stored, Undated those that were kept because none of their lines has a time.
	NotStored, Undated int
}

// Prune removes the files whose rows are all too old. An error of one file does not keep the others
// from being removed.
func Prune(ctx context.Context, store TreeStore, o PruneOptions) (done Pruning, err error) {
	t := OpenTable(store, TableOptions{Partitions: o.Partitions})
	files, err := t.list(ctx, Bounds{})
	if err != nil {
		return done, fmt.Errorf("table: prune: %w", err)
	}
	var errs []error
	for _, f := range files {
		if end, known := t.o.Partitions(DirOf(f.Name)).End(); known && end.After(o.Before) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return done, err
		}
		err := o.prune(ctx, t, store, f, &done)
		if err != nil {
			errs = append(errs, fmt.Errorf("table: prune: %w", err))
		}
		if errors.Is(err, errNotNoted) {
			break // the next file would fail, too
		}
	}
	return done, errors.Join(errs...)
}

// errNotNoted is returned if the removal could not be recorded, so the file was kept.
var errNotNoted = errors.New("cannot record what is removed")

// lastZone is the westernmost time zone, in which a day ends last.
const lastZone = 12 * time.Hour

// End is the moment at which the partition's day has ended in every time zone; known is false if
// the name has no day, and for the day of lines without a time.
func (p Partition) End() (end time.Time, known bool) {
	day, err := time.Parse(dayLayout, p.Day)
	if err != nil || day.Unix() == 0 {
		return time.Time{}, false
	}
	return day.AddDate(0, 0, 1).Add(lastZone), true
}

func (o *PruneOptions) prune(ctx context.Context, t *Table, store TreeStore, file archive.File, done *Pruning) error {
	f, err := t.readFooter(ctx, file, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // merged, or pruned, since it was listed
	}
	if err != nil {
		return err
	}
	_, known := t.o.Partitions(DirOf(f.name)).End()
	switch {
	case f.meta.Undated == f.meta.Rows && !known:
		done.Undated++
		return nil
	case !known && f.meta.MaxTime >= o.Before.UnixNano():
		return nil
	case f.meta.MaxTime >= o.Before.UnixNano(): // of a zone that does not exist
		return nil
	}
	for i := range f.meta.Streams {
		for _, r := range f.meta.Streams[i].Ranges {
			if o.Stored != nil && !o.Stored(f.meta.Streams[i].Stream.ID, r.End) {
				done.NotStored++
				return nil
			}
		}
	}
	if !o.DryRun {
		if err := o.remove(ctx, store, f); err != nil {
			return err
		}
	}
	done.Files++
	done.Bytes += f.bytes
	done.Rows += f.meta.Rows
	return nil
}

func (o *PruneOptions) remove(ctx context.Context, store TreeStore, f *footer) error {
	if o.Note != nil {
		if err := o.Note(f.meta.Streams); err != nil {
			return fmt.Errorf("%s: %w: %w", f.name, errNotNoted, err)
		}
	}
	return remove(ctx, store, f.name)
}
