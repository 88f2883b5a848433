package tail

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sluice/ingest/logfile"
)

// directory is a directory that a source names.
type directory struct {
	path      string
	id        logfile.ID
	wd        int32
	matchers  []*matcher
	byBase    map[string]*matcher // of sources with Rotations; they may be thousands
	files     map[string]*file    // by name
	listed    bool                // its present content is known
	links     bool                // a log in it is a symbolic link
	unwatched bool                // no watch was available: it is listed every dirsInterval
	// unseen are the names for which stat fails, for example a symbolic link into a directory
	// without permission, or to itself. They are tried again with the listings.
	unseen map[string]*failure
	strays map[string]*stray // by name
	failure
}

// findDirs updates the directories to those that the sources match.
func (di *discovery) findDirs() {
	for _, m := range di.matchers {
		paths, err := m.expand()
		if err != nil {
			di.cfg.Log.Warn("cannot find the directories of a source, retrying", "source", m.Pattern, "err", err)
			continue
		}
		for _, path := range paths {
			if di.dirs[path] == nil && m.globbed {
				if info, err := os.Stat(path); err != nil || !info.IsDir() {
					continue
				}
			}
			di.addDirectory(m, path)
		}
	}
}

func (di *discovery) watchDirectory(d *directory) error {
	if d.wd >= 0 {
		return nil
	}
	wd, err := di.watch.watchDir(d.path)
	if errors.Is(err, unix.ENOSPC) {
		if !d.unwatched {
			di.cfg.Log.Warn("directory cannot be watched, listing it every 10 s instead", "path", d.path, "err", err)
		}
		d.unwatched = true
		d.id, err = directoryID(d.path)
		return err
	}
	if err != nil {
		return err
	}
	d.unwatched = false
	if d.wd = wd; wd >= 0 {
		di.dirsBy[wd] = d
	}
	d.id, err = directoryID(d.path)
	return err
}

func directoryID(path string) (logfile.ID, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return logfile.ID{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return idOf(&st), nil
}

// checkDirectory detects that a directory was removed or replaced. Its watch does not report that
// while a file of it is open.
func (di *discovery) checkDirectory(d *directory) {
	if !d.listed {
		return
	}
	id, err := directoryID(d.path)
	if err == nil && id == d.id {
		return
	}
	if err == nil {
		err = &os.PathError{Op: "watch", Path: d.path, Err: fs.ErrNotExist}
	}
	di.directoryFailed(d, err)
	d.next = di.now
}

// directoryFailed records a directory that cannot be read; it is tried again.
func (di *discovery) directoryFailed(d *directory, err error) {
	first := d.fail(err, di.now)
	if !di.directoryGone(d, err) {
		di.counters.Failures.Add(1)
		if first {
			di.nextHousekeeping = di.now // update the status soon
			di.cfg.Log.Warn("directory read failed, retrying", "path", d.path, "err", err)
		}
	}
	if d.wd >= 0 {
		if di.dirsBy[d.wd] == d { // otherwise it was renamed, and the watch belongs to the new name
			delete(di.dirsBy, d.wd)
			di.watch.unwatchDir(d.wd)
		}
		d.wd = -1
	}
	d.listed = false
	if errors.Is(err, fs.ErrNotExist) {
		for name := range d.files {
			di.nameGone(d, name)
		}
	}
}

// cannotSee records that stat failed for a name. Other files in the directory are unaffected.
func (di *discovery) cannotSee(d *directory, name string, err error) {
	di.counters.Failures.Add(1)
	failed := d.unseen[name]
	if failed == nil {
		failed = &failure{}
		if d.unseen == nil {
			d.unseen = map[string]*failure{}
		}
		d.unseen[name] = failed
	}
	if failed.fail(err, di.now) {
		di.cfg.Log.Warn("log stat failed, retrying", "path", filepath.Join(d.path, name), "err", err)
	}
}

func (di *discovery) directoriesFail() bool {
	for _, d := range di.dirs {
		if d.err != nil {
			return true
		}
	}
	return false
}
