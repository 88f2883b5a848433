package localdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sluice/archive"
)

// List implements archive.Archive.
func (a *Archive) List(ctx context.Context) ([]archive.File, error) {
	return a.ListWhere(ctx, func(string) bool { return true })
}

// ListWhere is List without the directories that want rejects, and their content.
//
// The root may be a symbolic link, and symbolic links in it that lead to other places are followed:
// operators move old days to a larger disk that way. A broken link is an error, because the disk
// may be missing.
func (a *Archive) ListWhere(ctx context.Context, want func(dir string) bool) ([]archive.File, error) {
	l := &listing{ctx: ctx, want: want, followed: map[string]bool{}}
	var err error
	if l.root, err = filepath.EvalSymlinks(a.root); err == nil {
		err = l.dir(l.root, "")
	}
	if err != nil {
		return nil, fmt.Errorf("archive %s: list: %w", a.root, err)
	}
	// The walk returns a/b before a-b, as it sorts each directory separately.
	slices.SortFunc(l.files, func(x, y archive.File) int { return strings.Compare(x.Name, y.Name) })
	return l.files, nil
}

// listing is a walk through an archive.
type listing struct {
	ctx      context.Context
	root     string // without links
	want     func(dir string) bool
	files    []archive.File
	followed map[string]bool // what links lead to, without links
}

// dir adds the files of a directory that is called name in the archive.
func (l *listing) dir(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) && name != "" {
		return nil // removed since its parent was read
	}
	if err := errors.Join(err, l.ctx.Err()); err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(name, e.Name())
		if archive.CheckName(name) != nil { // hidden, or not readable as an archive file
			continue
		}
		if err := l.entry(filepath.Join(dir, e.Name()), name, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) entry(file, name string, e fs.DirEntry) error {
	switch t := e.Type(); {
	case t&fs.ModeSymlink != 0:
		return l.link(file, name)
	case t.IsDir() && l.want(name):
		return l.dir(file, name)
	case t.IsRegular():
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		l.files = append(l.files, archive.File{Name: name, Bytes: info.Size()})
	}
	return nil
}

// link follows a link that leads out of the archive. A link to another part of the archive is
// ignored, because that part is listed under its own name.
func (l *listing) link(file, name string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
			return nil // removed
		}
		target, _ := os.Readlink(file) //nolint:errcheck // for the message
		return fmt.Errorf("%s is a symbolic link to %s, which does not exist: is a disk not mounted?", file, target)
	}
	if err != nil || info.IsDir() && !l.want(name) {
		return err
	}
	target, err := filepath.EvalSymlinks(file)
	switch {
	case err != nil:
		return err
	case within(target, l.root) || l.followed[target]:
		return nil
	case info.Mode().IsRegular():
		l.files = append(l.files, archive.File{Name: name, Bytes: info.Size()})
		return nil
	case !info.IsDir():
		return nil
	case within(l.root, target):
		return fmt.Errorf("%s is a symbolic link to %s, which holds the directory %s itself", file, target, l.root)
	}
	l.followed[target] = true
	return l.dir(target, name)
}

// within reports whether a path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
