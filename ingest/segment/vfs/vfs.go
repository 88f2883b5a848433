// Package vfs is the interface of a file system as far as sluice's files need it, so that tests can
// make each step fail. Package crashfs does that.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS is a file system. Its errors are those of package os (fs.ErrExist, fs.ErrNotExist). It must be
// safe for concurrent use.
type FS interface {
	// OpenFile has the flags of package os.
	OpenFile(path string, flag int, perm fs.FileMode) (File, error)
	Mkdir(path string, perm fs.FileMode) error
	Stat(path string) (fs.FileInfo, error)
	Rename(from, to string) error
	Remove(path string) error
	// ReadDir returns the names in a directory, sorted.
	ReadDir(dir string) ([]string, error)
	// SyncDir makes the entries of the directory durable.
	SyncDir(dir string) error
}

// File is an open file; *os.File implements it. There is no Write, because a position that is kept
// in the file could be wrong after an error: all writes are at an explicit offset.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

// OS is the operating system's file system.
type OS struct{}

// OpenFile implements FS. It does not follow a symbolic link at the end of a path that is opened
// for writing: another user who can create one there would choose which file is overwritten.
func (OS) OpenFile(path string, flag int, perm fs.FileMode) (File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		flag |= syscall.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

// Mkdir implements FS.
func (OS) Mkdir(path string, perm fs.FileMode) error { return os.Mkdir(path, perm) }

// Stat implements FS.
func (OS) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(path string) error { return os.Remove(path) }

// ReadDir implements FS.
func (OS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// SyncDir implements FS.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MkdirAll creates dir and its missing parents, and syncs the parent of each that it created. The
// parent of an existing dir is synced too, because the process that created it may have ended
// before doing so; unless this process may not read that parent.
func MkdirAll(fsys FS, dir string, perm fs.FileMode) error {
	parent := filepath.Dir(dir)
	err := fsys.Mkdir(dir, perm)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := MkdirAll(fsys, parent, perm); err != nil {
			return err
		}
		err = fsys.Mkdir(dir, perm)
	}
	if err == nil {
		return fsys.SyncDir(parent)
	}
	if info, statErr := fsys.Stat(dir); statErr != nil || !info.IsDir() {
		return err
	}
	if err := fsys.SyncDir(parent); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
