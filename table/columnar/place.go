package columnar

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"sluice/hdfs"
)

// WriteStore is where the files of a table are put.
type WriteStore interface {
	Open(ctx context.Context, name string) (hdfs.Reader, error)
	// Store puts a verified copy of a file under a name; hdfs.ErrConflict if there is
	// another file with that name.
	Store(ctx context.Context, localPath, name string) error
}

// Place puts the file of a segment into a table's store. A file that is there already and
// was made from the same segment stays, even if its bytes are others: another version of
// sluice wrote it.
func Place(ctx context.Context, store WriteStore, localPath, name string) error {
	err := store.Store(ctx, localPath, name)
	if !errors.Is(err, hdfs.ErrConflict) {
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
