package tail

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/logfile"
)

// directories finds and lists the directories of the sources.
type directories struct {
	*env
	descriptors *descriptors
	names       *names

	matchers []*matcher // of Config.Sources, then of Config.Changing
	byPath   map[string]*directory
	byWatch  map[int32]*directory

	nextDirs, nextListing time.Time
}

// listAll lists every directory.
func (di *directories) listAll() {
	di.treesFit()
	di.findDirs()
	for _, d := range slices.Collect(maps.Values(di.byPath)) {
		di.list(d)
	}
	di.nextDirs = di.now.Add(dirsInterval)
	di.nextListing = di.now.Add(listingInterval)
}

// list compares a directory's files with what is known of it. The watch is added first, so that
// later changes are reported.
func (di *directories) list(d *directory) {
	err := di.watchDirectory(d)
	var entries []fs.DirEntry
	if err == nil {
		entries, err = di.descriptors.readDir(d.path)
	}
	if err != nil {
		di.directoryFailed(d, err)
		return
	}
	if d.err != nil {
		di.cfg.Log.Info("directory read recovered", "path", d.path, "after", di.ago(d.since))
		d.failure = failure{}
	}
	d.listed = true
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	maps.DeleteFunc(d.unseen, func(name string, _ *failure) bool { return !there[name] })
	var gone []string
	for name := range d.files {
		if !there[name] {
			gone = append(gone, name)
		}
	}
	var nameless bool
	for _, name := range gone {
		di.names.nameGone(d, name)
		nameless = true
	}
	di.listTree(d, entries)
	for _, e := range entries {
		if d.match(e.Name()) != nil || d.files[e.Name()] != nil || nameless {
			di.names.notice(d, e.Name())
		}
	}
}

// findDirs updates the directories to those that the sources match.
func (di *directories) findDirs() {
	for _, m := range di.matchers {
		paths, err := m.expand()
		if err != nil {
			di.cfg.Log.Warn("cannot find the directories of a source, retrying", "source", m.Pattern, "err", err)
			continue
		}
		for _, path := range paths {
			if di.byPath[path] == nil && m.globbed {
				if info, err := os.Stat(path); err != nil || !info.IsDir() {
					continue
				}
			}
			di.addDirectory(m, path)
		}
	}
}

func (di *directories) watchDirectory(d *directory) error {
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
		di.byWatch[wd] = d
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
func (di *directories) checkDirectory(d *directory) {
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
func (di *directories) directoryFailed(d *directory, err error) {
	first := d.fail(err, di.now)
	if !di.directoryGone(d, err) {
		di.counters.Failures.Add(1)
		if first {
			di.nextHousekeeping = di.now // update the status soon
			di.cfg.Log.Warn("directory read failed, retrying", "path", d.path, "err", err)
		}
	}
	if d.wd >= 0 {
		if di.byWatch[d.wd] == d { // otherwise it was renamed, and the watch belongs to the new name
			delete(di.byWatch, d.wd)
			di.watch.unwatchDir(d.wd)
		}
		d.wd = -1
	}
	d.listed = false
	if errors.Is(err, fs.ErrNotExist) {
		for name := range d.files {
			di.names.nameGone(d, name)
		}
	}
}

func (di *directories) directoriesFail() bool {
	for _, d := range di.byPath {
		if d.err != nil {
			return true
		}
	}
	return false
}
