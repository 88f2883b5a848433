package localdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// List implements archive.Archive.
func (a *Archive) List(ctx context.Context) ([]archive.File, error) {
	return a.ListWhere(ctx, func(string) bool { return true })
}

// ListWhere is List without the directories that want rejects, and what is below them.
func (a *Archive) ListWhere(ctx context.Context, want func(dir string) bool) ([]archive.File, error) {
	var files []archive.File
	err := filepath.WalkDir(a.root, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p != a.root {
			return nil // removed since its directory was read
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		name, err := filepath.Rel(a.root, p)
		if err != nil || name == "." {
			return err
		}
		name = filepath.ToSlash(name)
		if archive.CheckName(name) != nil || d.IsDir() && !want(name) { // hidden, or not readable as an archive file
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files = append(files, archive.File{Name: name, Bytes: info.Size()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("archive %s: list: %w", a.root, err)
	}
	// The walk returns a/b before a-b, as it sorts each directory separately.
	slices.SortFunc(files, func(x, y archive.File) int { return strings.Compare(x.Name, y.Name) })
	return files, nil
}

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
