package columnar

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"sluice/archive"
	"sluice/schema"
)

// WriteStore is a store of a table's files.
type WriteStore interface {
	Open(ctx context.Context, name string) (archive.Reader, error)
	// Store stores a verified copy of a file under a name; archive.ErrConflict if there is another
	// file with that name.
	Store(ctx context.Context, localPath, name string) error
}

// Place stores the file of a segment in a table's store. An existing file of the same segment is
// kept, even if its bytes differ: another version of sluice wrote it.
func Place(ctx context.Context, store WriteStore, localPath, name string) error {
	err := store.Store(ctx, localPath, name)
	if !errors.Is(err, archive.ErrConflict) {
		return err
	}
	there, metaErr := storedMeta(ctx, store, name)
	if metaErr != nil {
		return errors.Join(err, metaErr)
	}
	local, metaErr := localMeta(localPath)
	if metaErr != nil {
		return errors.Join(err, metaErr)
	}
	if !sameSegment(there, local) {
		return err
	}
	return nil
}

func storedMeta(ctx context.Context, store WriteStore, name string) (m *Meta, err error) {
	r, err := store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	f, err := OpenFile(r, r.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f.Meta(), nil
}

func localMeta(path string) (m *Meta, err error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	f, err := OpenFile(r, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f.Meta(), nil
}

// sameSegment reports whether two files were made from the same segment: they have the
// same ranges of the same streams.
func sameSegment(a, b *Meta) bool {
	return a.Segment != "" && a.Segment == b.Segment && a.Rows == b.Rows && slices.EqualFunc(a.Streams, b.Streams, func(x, y StreamMeta) bool {
		return x.Stream == y.Stream && slices.Equal(x.Ranges, y.Ranges) && maps.Equal(x.Labels, y.Labels)
	})
}

// RepairStore is a store whose files can be replaced.
type RepairStore interface {
	ReadStore
	WriteStore
	// Replace replaces a file atomically.
	Replace(ctx context.Context, localPath, name string) error
}

// Repair stores the file of a segment in a table's store, and replaces an existing file with
// different bytes. An intact file with rows that the new one lacks is kept, because the segment may
// be damaged.
func Repair(ctx context.Context, store RepairStore, localPath, name string) error {
	err := store.Store(ctx, localPath, name)
	if !errors.Is(err, archive.ErrConflict) {
		return err
	}
	local, err := localMeta(localPath)
	if err != nil {
		return err
	}
	there, err := storedMeta(ctx, store, name)
	if err != nil && !errors.Is(err, ErrFile) {
		return err
	}
	if err == nil && !covers(local, there) {
		sound := true
		_, err := Verify(ctx, store, func(n string) bool { return n == name }, func(Problem) { sound = false })
		if err != nil || sound {
			return err
		}
	}
	return store.Replace(ctx, localPath, name)
}

// covers reports whether a file has all ranges of another one.
func covers(m, other *Meta) bool {
	has := map[schema.StreamID]*schema.RangeSet{}
	for i := range m.Streams {
		s := &m.Streams[i]
		if has[s.Stream.ID] == nil {
			has[s.Stream.ID] = new(schema.RangeSet)
		}
		for _, r := range s.Ranges {
			has[s.Stream.ID].Add(r.Range)
		}
	}
	for i := range other.Streams {
		s := &other.Streams[i]
		for _, r := range s.Ranges {
			if set := has[s.Stream.ID]; set == nil || len(set.Missing(r.Range)) > 0 {
				return false
			}
		}
	}
	return true
}
