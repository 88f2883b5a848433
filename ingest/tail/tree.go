package tail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"
)

// maxTreeDirs bounds the directories below the ** of all sources: each one costs a watch.
const maxTreeDirs = 10000

// errTreeTooLarge: some directories below ** are not followed.
var errTreeTooLarge = fmt.Errorf("there are more than %d directories below **; the others are not followed: write a narrower pattern", maxTreeDirs)

// Paths returns the regular files that the pattern names now, compressed ones too, in
// the order of their directories and names. A path without a wildcard is returned as it
// is. That no file matches is an error.
func (s Source) Paths() ([]string, error) {
	m, err := newMatcher(s)
	if err != nil {
		return nil, err
	}
	if m.literal {
		return []string{s.Pattern}, nil
	}
	w := pathWalk{m: m}
	roots, err := m.expand()
	for _, root := range roots {
		if err == nil {
			err = w.walk(root)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", s.Pattern, err)
	}
	if len(w.paths) > 0 {
		return w.paths, nil
	}
	if w.dir != "" {
		return nil, fmt.Errorf("%s: no file has such a name, only the directory %s\nhint: name the files in it, for example %s", s.Pattern, w.dir, filepath.Join(w.dir, "*access*"))
	}
	return nil, fmt.Errorf("%s: no file has such a name", s.Pattern)
}

// pathWalk collects what a pattern names.
type pathWalk struct {
	m     *matcher
	paths []string
	dir   string // a directory of such a name
	dirs  int
}

func (w *pathWalk) walk(dir string) error {
	if info, err := os.Stat(dir); w.m.globbed && err == nil && !info.IsDir() {
		return nil
	}
	if w.dirs++; w.dirs > maxTreeDirs && w.m.tree != "" {
		return errTreeTooLarge
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if w.m.names(dir, e.Name()) {
			switch info, err := os.Stat(path); {
			case err != nil:
			case info.Mode().IsRegular():
				w.paths = append(w.paths, path)
			case info.IsDir():
				w.dir = path
			}
		}
		if e.IsDir() && w.m.tree != "" {
			if err := w.walk(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// inTree reports whether the directories in d are followed, too.
func (d *directory) inTree() bool {
	for _, m := range d.matchers {
		if m.tree != "" {
			return true
		}
	}
	return false
}

// addDirectory notes a directory of a source. It returns nil where there is no room for
// another one of a tree.
func (di *discovery) addDirectory(m *matcher, path string) *directory {
	d := di.dirs[path]
	if d == nil {
		if m.tree != "" && len(di.dirs) >= maxTreeDirs {
			if m.fail(errTreeTooLarge, di.now) {
				di.cfg.Log.Warn("source has too many directories", "source", m.Pattern, "err", m.err)
			}
			return nil
		}
		d = &directory{path: path, wd: -1, files: map[string]*file{}}
		di.dirs[path] = d
	}
	for _, known := range d.matchers {
		if known == m {
			return d
		}
	}
	d.matchers = append(d.matchers, m)
	d.index(m)
	d.listed = false
	return d
}

// listTree lists the directories in d that are new. Symbolic links to directories are
// not followed below **, so there is no loop and no directory has two names.
func (di *discovery) listTree(d *directory, entries []fs.DirEntry) {
	if !d.inTree() {
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			di.enterTree(d, e.Name())
		}
	}
}

// enterTree follows the directory of that name in d as well.
func (di *discovery) enterTree(d *directory, name string) {
	path := filepath.Join(d.path, name)
	var child *directory
	for _, m := range d.matchers {
		if m.tree != "" {
			if added := di.addDirectory(m, path); added != nil {
				child = added
			}
		}
	}
	if child != nil && !child.listed && (child.err == nil || !di.now.Before(child.next)) {
		di.list(child)
	}
}

// optional reports whether a directory may go: it is only below the ** of a source.
func (d *directory) optional() bool {
	for _, m := range d.matchers {
		if m.tree == "" || doublestar.MatchUnvalidated(m.dirs, d.path) {
			return false
		}
	}
	return true
}

// directoryGone drops a directory that ** found and that is no longer there. It
// reports false where it must be tried again.
func (di *discovery) directoryGone(d *directory, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) || !d.optional() {
		return false
	}
	if di.dirs[d.path] == d {
		delete(di.dirs, d.path)
	}
	di.cfg.Log.Debug("directory of a pattern removed", "path", d.path)
	return true
}

// newDirectory reports whether an event tells of a directory that came.
func newDirectory(e event) bool {
	return e.mask&unix.IN_ISDIR != 0 && e.mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0
}

// treesFit forgets that trees were too large: the listing that follows finds out.
func (di *discovery) treesFit() {
	for _, m := range di.matchers {
		m.failure = failure{}
	}
}

// warnOfUnmatched says which sources have had no file so far, and when one has.
func (di *discovery) warnOfUnmatched() {
	for _, m := range di.matchers {
		if !m.matched && !m.warned && !m.Optional {
			m.warned = true
			di.cfg.Log.Warn("source matches no file", "source", m.Pattern, "hint", "check its spelling; a pattern must name files, not directories; compressed files are not followed")
		} else if m.matched && m.warned {
			m.warned = false
			di.cfg.Log.Info("source matches a file", "source", m.Pattern)
		}
	}
}
