// Package crashfs is a file system in memory for crash tests. It keeps what is written separate
// from what is on disk, can fail any operation, and returns what a crash would leave.
//
// The model: bytes that are not synced survive a crash by the sector, or not; a failed fsync loses
// them permanently although reads still return them; names that are created, changed or removed
// survive in order up to some point, or completely when their directory is synced.
package crashfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"sluice/ingest/segment/vfs"
)

// ErrInjected is the usual error of Fail.
var ErrInjected = errors.New("injected fault")

// Op is one operation that changes the file system.
type Op struct {
	N    int    // number of operations before it
	Kind string // create write sync truncate rename remove mkdir syncdir
	Path string
}

// FS implements vfs.FS. Its root directory "/" exists and is on disk.
type FS struct {
	// Fail is called before each operation, which fails if Fail returns an error. A write that
	// fails has written its first half.
	Fail func(Op) error

	mu      sync.Mutex
	ops     int
	names   map[string]*node // as a running process sees them
	onDisk  map[string]*node // after a crash
	pending []nameChange     // changes of names that are not in onDisk, in order
}

// nameChange sets names[path] to node, or removes it if node is nil.
type nameChange struct {
	path string
	node *node
	// atomic is true if the next change belongs to the same step, as in a rename
	atomic bool
}

type node struct {
	dir   bool
	data  []byte // as a running process sees it
	disk  []byte // as of the last successful sync
	dirty []change
}

// change is a write, or a truncation to offset if truncate is true.
type change struct {
	offset   int64
	data     []byte
	truncate bool
}

// New returns an empty file system.
func New() *FS {
	root := &node{dir: true}
	return &FS{names: map[string]*node{"/": root}, onDisk: map[string]*node{"/": root}}
}

// Ops returns the number of operations so far.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Names returns the paths of all files, without directories.
func (f *FS) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, n := range f.names {
		if !n.dir {
			out = append(out, name)
		}
	}
	return out
}

// Crash returns the file system as it would be after a loss of power now. Equal states of rng give
// equal results.
func (f *FS) Crash(rng *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := map[string]*node{}
	for path, n := range f.onDisk {
		names[path] = n
	}
	left := rng.IntN(len(f.pending) + 1)
	for left > 0 && f.pending[left-1].atomic {
		left--
	}
	applyNames(names, f.pending[:left])

	after := New()
	for _, path := range sortedKeys(names) {
		if !reachable(names, path) {
			continue
		}
		n := &node{dir: names[path].dir, disk: names[path].afterCrash(rng)}
		n.data = append([]byte(nil), n.disk...)
		after.names[path], after.onDisk[path] = n, n
	}
	return after
}

func reachable(names map[string]*node, path string) bool {
	for path != "/" {
		path = filepath.Dir(path)
		if n := names[path]; n == nil || !n.dir {
			return false
		}
	}
	return true
}

const sectorBytes = 512

// afterCrash applies none, all, or some sectors of what was not synced.
func (n *node) afterCrash(rng *rand.Rand) []byte {
	disk := append([]byte(nil), n.disk...)
	mode := rng.IntN(3)
	for _, c := range n.dirty {
		if c.truncate {
			if mode == 1 || mode == 2 && rng.IntN(2) == 0 {
				disk = c.apply(disk)
			}
			continue
		}
		for at := 0; at < len(c.data); {
			end := min(len(c.data), at+sectorBytes-int(c.offset+int64(at))%sectorBytes)
			if mode == 1 || mode == 2 && rng.IntN(4) > 0 {
				disk = change{offset: c.offset + int64(at), data: c.data[at:end]}.apply(disk)
			}
			at = end
		}
	}
	return disk
}

func (c change) apply(data []byte) []byte {
	end := c.offset + int64(len(c.data))
	if grow := end - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	if c.truncate {
		return data[:c.offset:c.offset]
	}
	copy(data[c.offset:], c.data)
	return data
}

func applyNames(names map[string]*node, changes []nameChange) {
	for _, c := range changes {
		if c.node == nil {
			delete(names, c.path)
		} else {
			names[c.path] = c.node
		}
	}
}

// begin counts an operation and calls Fail. f.mu must be held.
func (f *FS) begin(kind, path string) error {
	op := Op{N: f.ops, Kind: kind, Path: path}
	f.ops++
	if f.Fail == nil {
		return nil
	}
	if err := f.Fail(op); err != nil {
		return &fs.PathError{Op: kind, Path: path, Err: err}
	}
	return nil
}

// change makes changes visible now; they are on disk later. f.mu must be held.
func (f *FS) change(changes ...nameChange) {
	for i := range changes {
		changes[i].atomic = i < len(changes)-1
	}
	applyNames(f.names, changes)
	f.pending = append(f.pending, changes...)
}

var _ vfs.FS = (*FS)(nil)

// OpenFile implements vfs.FS.
func (f *FS) OpenFile(path string, flag int, _ fs.FileMode) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.names[path]
	if flag&os.O_CREATE != 0 && n == nil {
		if err := f.begin("create", path); err != nil {
			return nil, err
		}
		if !f.isDir(filepath.Dir(path)) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		n = &node{}
		f.change(nameChange{path: path, node: n})
	} else if n != nil && flag&os.O_EXCL != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrExist}
	}
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return &file{fs: f, path: path, node: n}, nil
}

func (f *FS) isDir(path string) bool {
	n := f.names[path]
	return n != nil && n.dir
}

// Mkdir implements vfs.FS.
func (f *FS) Mkdir(path string, _ fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[path] != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrExist}
	}
	if !f.isDir(filepath.Dir(path)) {
		return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrNotExist}
	}
	if err := f.begin("mkdir", path); err != nil {
		return err
	}
	f.change(nameChange{path: path, node: &node{dir: true}})
	return nil
}

// Rename implements vfs.FS.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("rename", from); err != nil {
		return err
	}
	n := f.names[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	f.change(nameChange{path: from}, nameChange{path: to, node: n})
	return nil
}

// ReadDir implements vfs.FS.
func (f *FS) ReadDir(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isDir(dir) {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: fs.ErrNotExist}
	}
	var names []string
	for _, path := range sortedKeys(f.names) {
		if path != dir && filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	return names, nil
}

// Remove implements vfs.FS.
func (f *FS) Remove(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("remove", path); err != nil {
		return err
	}
	if f.names[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	f.change(nameChange{path: path})
	return nil
}

// SyncDir implements vfs.FS.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("syncdir", dir); err != nil {
		return err
	}
	var rest []nameChange
	for _, c := range f.pending {
		if filepath.Dir(c.path) == dir {
			applyNames(f.onDisk, []nameChange{c})
		} else {
			rest = append(rest, c)
		}
	}
	f.pending = rest
	return nil
}

// Stat implements vfs.FS.
func (f *FS) Stat(path string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.names[path]
	if n == nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	return info{name: filepath.Base(path), size: int64(len(n.data)), dir: n.dir}, nil
}
