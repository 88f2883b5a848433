package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sluice/archive"
	"sluice/schema"
)

// PruneStore is an archive that files are removed from; an archive.Archive is one.
type PruneStore interface {
	Archive
	Remove(ctx context.Context, name string) error
}

// PruneOptions say which files of an archive are removed.
type PruneOptions struct {
	// Before is the first moment that is kept: a file is removed if its day ended before it in
	// every time zone.
	Before time.Time
	// Stored reports whether a stream is known to be stored up to an offset.
	Stored func(id schema.StreamID, end int64) bool
	// Note is called with the ranges of a file before it is removed, to record them durably. An
	// error keeps the file.
	Note func([]Member) error
	// DryRun reports without removing.
	DryRun bool
}

// Pruning is what Prune removed, or would remove, and the old files that it kept.
type Pruning struct {
	Files        int
	Bytes, Lines int64
	// NotStored counts kept files with lines that are not stored, Undated files of the day of lines
	// without a time, Damaged files that cannot be read to their end.
	NotStored, Undated, Damaged int
}

// lastZone is the westernmost time zone, in which a day ends last.
const lastZone = 12 * time.Hour

// Prune removes old files from an archive. Files that no collector wrote are kept.
func Prune(ctx context.Context, a PruneStore, pattern archive.Pattern, o PruneOptions) (done Pruning, err error) {
	held, err := Read(ctx, a, pattern, func(f *File) bool {
		return !f.Time.IsZero() && !f.Time.Truncate(24*time.Hour).Add(24*time.Hour+lastZone).After(o.Before)
	})
	if err != nil {
		return done, err
	}
	for i := range held.Files {
		f := &held.Files[i]
		if err := ctx.Err(); err != nil {
			return done, err
		}
		if f.Foreign || f.Misplaced {
			continue
		}
		if err := o.prune(ctx, a, held, f, &done); err != nil {
			return done, fmt.Errorf("archive: prune %s: %w", f.Name, err)
		}
	}
	return done, nil
}

func (o *PruneOptions) prune(ctx context.Context, a PruneStore, held *Catalog, f *File, done *Pruning) error {
	members := held.Members[f.First : f.First+f.Members]
	switch {
	case f.Time.Year() == 1970:
		done.Undated++
		return nil
	case len(f.Damage) > 0:
		done.Damaged++
		return nil
	}
	for i := range members {
		if o.Stored != nil && !o.Stored(members[i].Stream, members[i].Range.End) {
			done.NotStored++
			return nil
		}
	}
	done.Files++
	done.Bytes += f.Bytes
	done.Lines += f.Lines
	if o.DryRun {
		return nil
	}
	if o.Note != nil {
		if err := o.Note(members); err != nil {
			return err
		}
	}
	if err := a.Remove(ctx, f.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
