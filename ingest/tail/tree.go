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

// maxTreeDirs limits the directories below the ** of all sources, because each needs a watch.
const maxTreeDirs = 10000

// errTreeTooLarge means that some directories below ** are not followed.
var errTreeTooLarge = fmt.Errorf("there are more than %d directories below **; the others are not followed: write a narrower pattern", maxTreeDirs)

// Paths returns the regular files that the pattern matches now, including compressed ones, sorted
// by directory and name. A path without a wildcard is returned as it is. It returns an error if no
// file matches.
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

// pathWalk collects the files that a pattern matches.
type pathWalk struct {
	m     *matcher
	paths []string
	dir   string // a directory that matches like a file
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

// inTree reports whether the directories in d are followed too.
func (d *directory) inTree() bool {
	for _, m := range d.matchers {
		if m.tree != "" {
			return true
		}
	}
	return false
}

// addDirectory adds a directory of a source. It returns nil if the limit of directories below ** is
// reached.
func (di *directories) addDirectory(m *matcher, path string) *directory {
	d := di.byPath[path]
	if d == nil {
		if m.tree != "" && len(di.byPath) >= maxTreeDirs {
			if m.fail(errTreeTooLarge, di.now) {
				di.cfg.Log.Warn("source has too many directories", "source", m.Pattern, "err", m.err)
			}
			return nil
		}
		d = &directory{path: path, wd: -1, files: map[string]*file{}}
		di.byPath[path] = d
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

// listTree lists the new directories in d. Symbolic links to directories are not followed below **,
// so there is no loop and no directory has two names.
func (di *directories) listTree(d *directory, entries []fs.DirEntry) {
	if !d.inTree() {
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			di.enterTree(d, e.Name())
		}
	}
}

// enterTree follows the directory with that name in d too.
func (di *directories) enterTree(d *directory, name string) {
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

// optional reports whether the directory may be removed: it is only below the ** of a source.
func (d *directory) optional() bool {
	for _, m := range d.matchers {
		if m.tree == "" || doublestar.MatchUnvalidated(m.dirs, d.path) {
			return false
		}
	}
	return true
}

// directoryGone drops a directory that was found by ** and does not exist any more. It returns
// false if the directory must be tried again.
func (di *directories) directoryGone(d *directory, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) || !d.optional() {
		return false
	}
	if di.byPath[d.path] == d {
		delete(di.byPath, d.path)
	}
	di.cfg.Log.Debug("directory of a pattern removed", "path", d.path)
	return true
}

// newDirectory reports whether an event is for a new directory.
func newDirectory(e event) bool {
	return e.mask&unix.IN_ISDIR != 0 && e.mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0
}

// treesFit resets the errors about too large trees before a new listing.
func (di *directories) treesFit() {
	for _, m := range di.matchers {
		m.failure = failure{}
	}
}

// warnOfUnmatched logs which sources no file has matched so far, and when one has.
func (di *directories) warnOfUnmatched() {
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
