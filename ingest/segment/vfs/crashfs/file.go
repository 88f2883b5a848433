package crashfs

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"
)

// file implements vfs.File.
type file struct {
	fs   *FS
	path string
	node *node
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if offset >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.fs.begin("write", f.path)
	if err != nil {
		p = p[:len(p)/2]
	}
	f.node.do(change{offset: offset, data: slices.Clone(p)})
	return len(p), err
}

func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.begin("truncate", f.path); err != nil {
		return err
	}
	f.node.do(change{offset: size, truncate: true})
	return nil
}

func (n *node) do(c change) {
	n.data = c.apply(n.data)
	n.dirty = append(n.dirty, c)
}

// Sync writes the data to the disk; if it fails the data is lost.
func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	dirty := f.node.dirty
	f.node.dirty = nil
	if err := f.fs.begin("sync", f.path); err != nil {
		return err
	}
	for _, c := range dirty {
		f.node.disk = c.apply(f.node.disk)
	}
	return nil
}

func (f *file) Stat() (fs.FileInfo, error) { return f.fs.Stat(f.path) }
func (f *file) Close() error               { return nil }

// info implements fs.FileInfo.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) IsDir() bool        { return i.dir }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

func sortedKeys(m map[string]*node) []string { return slices.Sorted(maps.Keys(m)) }
