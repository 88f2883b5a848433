package localdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/archive"
)

const (
	dirPerm  fs.FileMode = 0o750 // logs have addresses of people
	filePerm fs.FileMode = 0o640
)

// Archive implements archive.Archive in the directory root.
type Archive struct {
	root string
	temp *archive.TempNames                  // nil: for reading only
	link func(oldname, newname string) error // os.Link, but in tests
}

var _ archive.Archive = (*Archive)(nil)

// Open uses the directory root as an archive, and creates it if it is missing. The owner is the id
// of the collector; no two collectors that run at the same time may share one. Open fails if the
// directory is not writable.
func Open(root, owner string) (*Archive, error) {
	temp, err := archive.NewTempNames(owner)
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", root, err)
	}
	a := &Archive{root: filepath.Clean(root), temp: temp, link: os.Link}
	if err := mkdirAll(a.tmpDir()); err != nil {
		return nil, fmt.Errorf("archive %s: %w", root, err)
	}
	probe := a.tmpName()
	f, err := createNew(probe)
	if err != nil {
		return nil, fmt.Errorf("archive %s: cannot be written: %w", root, err)
	}
	if err := errors.Join(f.Close(), os.Remove(probe)); err != nil {
		return nil, fmt.Errorf("archive %s: cannot be written: %w", root, err)
	}
	return a, nil
}

// createNew creates a temporary file in place of one that an earlier process left. It does not
// write through a link that another user placed there.
func createNew(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, filePerm)
}

func (a *Archive) tmpDir() string { return filepath.Join(a.root, archive.TmpDir) }

func (a *Archive) tmpName() string {
	return filepath.Join(a.tmpDir(), a.temp.Next())
}

func (a *Archive) path(name string) string { return filepath.Join(a.root, filepath.FromSlash(name)) }

// reader implements archive.Reader.
type reader struct {
	*os.File
	size int64
}

func (r reader) Size() int64 { return r.size }

// Open implements archive.Archive.
func (a *Archive) Open(_ context.Context, name string) (archive.Reader, error) {
	if err := archive.CheckName(name); err != nil {
		return nil, err
	}
	f, err := os.Open(a.path(name))
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", a.root, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("archive %s: %w", a.root, err), f.Close())
	}
	return reader{File: f, size: info.Size()}, nil
}
