package columnar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"sluice/archive"
	"sluice/schema"
)

// ReadStore is a store of a table's files; an archive.Archive is one.
type ReadStore interface {
	List(ctx context.Context) ([]archive.File, error)
	Open(ctx context.Context, name string) (archive.Reader, error)
}

// pruningStore is a ReadStore that can exclude directories from a listing.
type pruningStore interface {
	ListWhere(ctx context.Context, want func(dir string) bool) ([]archive.File, error)
}

// TableOptions are the settings of a table.
type TableOptions struct {
	// Partitions parses the name of a directory of the tree; nil: day=20260903 and host=web01.
	Partitions func(dir string) Partition
	// Spool is the directory of the collector's segments, whose lines are not in the tree yet; ""
	// for none.
	Spool string
	// SkipDamaged excludes files whose footers cannot be read, with a warning. Otherwise they are
	// errors, so that no query is answered without their rows.
	SkipDamaged bool
	// Skip are the names of files that are excluded, for a repair: those that Verify found damaged.
	Skip map[string]bool
	// Log is for warnings; nil: none.
	Log *slog.Logger
}

// Table is a tree of Parquet files, and the lines of a spool that are not in it yet. It is safe for
// concurrent use.
type Table struct {
	store ReadStore
	o     TableOptions
	dir   *string // the only directory; nil: all
}

// OpenTable returns the table in store without reading it.
func OpenTable(store ReadStore, o TableOptions) *Table {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Partitions == nil {
		o.Partitions = parsePartition
	}
	return &Table{store: store, o: o}
}

// Workers is the number of goroutines of a query.
func Workers() int { return min(runtime.GOMAXPROCS(0), 8) }

// Bounds select a part of a table. The zero Bounds are all of it.
type Bounds struct {
	// From <= time < To, nanoseconds since 1970; To <= 0 is no limit. Rows without a time have time
	// 0.
	From, To int64
	// Hosts, if not empty, selects hosts.
	Hosts []string
}

// snapshotAttempts bounds the attempts to take a snapshot while files are replaced.
const snapshotAttempts = 50

// errChanged is returned if files were replaced while a snapshot was taken.
var errChanged = errors.New("the table's files kept changing while they were listed")

// Snapshot returns the current content of the table: every line that was in the spool or in the
// tree when the call began, once, and possibly later lines. Close it.
func (t *Table) Snapshot(ctx context.Context, b Bounds) (*Snapshot, error) {
	var err error
	for range snapshotAttempts {
		var s *Snapshot
		s, err = t.snapshot(ctx, b)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, errChanged) && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return nil, fmt.Errorf("table: take a snapshot: %w", err)
}

// snapshot is one attempt. The spool is listed before the tree: a segment that left the spool by
// then is in the tree.
func (t *Table) snapshot(ctx context.Context, b Bounds) (s *Snapshot, err error) {
	s = &Snapshot{table: t, bounds: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if t.o.Spool != "" {
		if s.fresh, err = openFresh(t.o.Spool, b); err != nil {
			return s, err
		}
		if s.ahead, err = t.openAhead(ctx, t.o.Spool); err != nil {
			return s, err
		}
	}
	files, err := t.list(ctx, b)
	if err != nil {
		return s, err
	}
	if s.footers, err = t.readFooters(ctx, files); err != nil {
		return s, err
	}
	again, err := t.list(ctx, b)
	if err != nil {
		return s, err
	}
	if !sameFiles(files, again) {
		return s, errChanged // one listing may miss both a file and the one that replaced it
	}
	s.count(append(slices.Clip(s.footers), s.ahead...))
	return s, nil
}

// list returns the files that may have rows within the bounds, sorted by name.
func (t *Table) list(ctx context.Context, b Bounds) ([]archive.File, error) {
	want := func(dir string) bool { return b.wantPartition(t.o.Partitions(dir)) }
	mayWant := want
	if t.dir != nil {
		want = func(dir string) bool { return dir == *t.dir }
		mayWant = func(dir string) bool { return want(dir) || strings.HasPrefix(*t.dir, dir+"/") }
	}
	var files []archive.File
	var err error
	if p, ok := t.store.(pruningStore); ok {
		files, err = p.ListWhere(ctx, mayWant)
	} else {
		files, err = t.store.List(ctx)
	}
	kept := files[:0]
	for _, f := range files {
		if isTableFile(f.Name) && want(DirOf(f.Name)) && !t.o.Skip[f.Name] {
			kept = append(kept, f)
		}
	}
	return kept, err
}

func sameFiles(a, b []archive.File) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// streamSet is the streams of a query; nil is every stream.
type streamSet map[schema.StreamID]bool

func newStreamSet(ids []schema.StreamID) streamSet {
	if ids == nil {
		return nil
	}
	set := streamSet{}
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func (s streamSet) has(id schema.StreamID) bool { return s == nil || s[id] }
