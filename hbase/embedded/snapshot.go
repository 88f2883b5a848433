package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A snapshot is a table's folder as it was at one moment, in memory but for its
// tables, which are held open: a process that writes may remove their names, and
// their bytes stay. So a table is read without Pebble's lock, beside the process
// that has it, and nothing is written.
//
// Opening the tables as Pebble comes to need them, without the lock, would not do:
// a compaction removes files that a reader has not opened yet.
type snapshot struct {
	vfs.FS
	dir    string
	tables map[string]vfs.File // by path
}

// snapshotAttempts: when a compaction ends while the tables are being opened, one
// may be gone. The next attempt sees what took its place.
const snapshotAttempts = 20

// openSnapshot opens the table in dir to be read. Its layout was read; ErrNoTable
// when there is none but might be one.
func openSnapshot(dir string, o Options) (*Table, error) {
	var err error
	for range snapshotAttempts {
		var t *Table
		t, err = trySnapshot(dir, o)
		if err == nil || errors.Is(err, ErrNoTable) || errors.Is(err, ErrNotTable) || !errors.Is(err, fs.ErrNotExist) {
			return t, err
		}
	}
	return nil, fmt.Errorf("a file that belongs to the table is missing: %w", err)
}

func trySnapshot(dir string, o Options) (*Table, error) {
	s, err := takeSnapshot(dir, o.fs)
	if err != nil {
		return nil, err
	}
	t := &Table{dir: dir, snapshot: s}
	p := pebbleOptions(t.layout, o.Logger)
	p.ReadOnly, p.FS = true, s
	p.EventListener = &pebble.EventListener{
		DataCorruption: func(info pebble.DataCorruptionInfo) { p.Logger.Errorf("%s", info) },
	}
	if t.db, err = pebble.Open(dir, p); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if t.layout, err = readLayout(t.db); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// takeSnapshot copies the small files and then opens the tables: what a manifest
// speaks of was there before it was written.
func takeSnapshot(dir string, disk vfs.FS) (*snapshot, error) {
	names, err := disk.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoTable
	}
	if err != nil {
		return nil, err
	}
	store, err := state(names)
	if err != nil {
		return nil, err
	}
	if !store {
		return nil, ErrNoTable
	}
	s := &snapshot{FS: vfs.NewMem(), dir: dir, tables: make(map[string]vfs.File)}
	if err := s.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "MANIFEST-") || strings.HasPrefix(name, "OPTIONS-") {
			if err := s.copy(disk, name); err != nil {
				return nil, err
			}
		}
	}
	if err := s.hold(disk); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// copy takes a small file into memory.
func (s *snapshot) copy(disk vfs.FS, name string) (err error) {
	path := disk.PathJoin(s.dir, name)
	from, err := disk.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := s.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// hold opens every table there is. One that is gone again belongs to the manifest
// or not; Pebble looks.
func (s *snapshot) hold(disk vfs.FS) error {
	names, err := disk.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		path := disk.PathJoin(s.dir, name)
		f, err := disk.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, syscall.EMFILE) {
			return fmt.Errorf("the table has more files than this process may open; raise its limit (ulimit -n): %w", err)
		}
		if err != nil {
			return err
		}
		s.tables[path] = f
	}
	return nil
}

// Open returns a held table, or a small file.
func (s *snapshot) Open(path string, o ...vfs.OpenOption) (vfs.File, error) {
	if f, held := s.tables[path]; held {
		return heldFile{f}, nil
	}
	return s.FS.Open(path, o...)
}

// Stat says how long a table is, as every other file.
func (s *snapshot) Stat(path string) (vfs.FileInfo, error) {
	if f, held := s.tables[path]; held {
		return f.Stat()
	}
	return s.FS.Stat(path)
}

// List gives the folder's names.
func (s *snapshot) List(dir string) ([]string, error) {
	names, err := s.FS.List(dir)
	for path := range s.tables {
		names = append(names, s.PathBase(path))
	}
	return names, err
}

func (s *snapshot) Unwrap() vfs.FS { return s.FS }

// Close lets go of the tables.
func (s *snapshot) Close() error {
	var err error
	for _, f := range s.tables {
		err = errors.Join(err, f.Close())
	}
	return err
}

// heldFile is closed with the snapshot.
type heldFile struct{ vfs.File }

func (heldFile) Close() error { return nil }
