package tail

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// discovery finds the directories of the sources and the files in them, and tracks which file has
// which name.
type discovery struct {
	*env
	contents *contents
	set      *fileSet
	follower follower

	matchers []*matcher // of Config.Sources, then of taken
	taken    *[]Source  // of Config.Changing; nil: not read yet
	dirs     map[string]*directory
	dirsBy   map[int32]*directory // by watch descriptor
	moving   map[uint32]*file     // files whose old name is gone, by cookie, until the event with the new name
	renamed  map[uint32]*matcher  // the source of a log that was renamed before stat
	touched  []touch              // new names of the current events

	nextDirs, nextListing, nextStrays time.Time

	strays []*directory // directories whose strays must still be checked
}

// follower receives the files that a discovery finds.
type follower interface {
	// admit begins to follow a file.
	admit(f *file)
	// compareTo checks a known file, whose current stat is st.
	compareTo(f *file, st *unix.Stat_t)
	// coldEvents handles the watches of cold files that have fired.
	coldEvents() error
}

// events handles the names that were created, moved or removed.
func (di *discovery) events() error {
	overflowed, err := di.watch.drain(di.watch.dirs, di.dirEvent)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	clear(di.renamed)
	di.seeTouched()
	for cookie, f := range di.moving { // the other half of a move would have been in the same read
		delete(di.moving, cookie)
		if len(f.places) == 0 {
			f.away = true
		}
	}
	if overflowed || di.relist {
		di.relist = false
		di.listAll()
	}
	return nil
}

// listAll lists every directory.
func (di *discovery) listAll() {
	di.treesFit()
	di.findDirs()
	for _, d := range slices.Collect(maps.Values(di.dirs)) {
		di.list(d)
	}
	di.nextDirs = di.now.Add(dirsInterval)
	di.nextListing = di.now.Add(listingInterval)
}

// list compares a directory's files with what is known of it. The watch is added first, so that
// later changes are reported.
func (di *discovery) list(d *directory) {
	err := di.watchDirectory(d)
	var entries []fs.DirEntry
	if err == nil {
		entries, err = di.set.readDir(d.path)
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
		di.nameGone(d, name)
		nameless = true
	}
	di.listTree(d, entries)
	for _, e := range entries {
		if d.match(e.Name()) != nil || d.files[e.Name()] != nil || nameless {
			di.notice(d, e.Name())
		}
	}
}

// dirEvent handles one event of a watched directory.
func (di *discovery) dirEvent(e event) {
	d := di.dirsBy[e.wd]
	if d == nil {
		return
	}
	if newDirectory(e) && d.inTree() {
		di.touched = append(di.touched, touch{dir: d, name: e.name, isDir: true})
		return
	}
	switch {
	case e.mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0:
		di.directoryFailed(d, &os.PathError{Op: "watch", Path: d.path, Err: fs.ErrNotExist})
	case e.mask&unix.IN_MOVED_FROM != 0:
		if f := d.files[e.name]; f != nil {
			di.moving[e.cookie] = f
			di.nameGone(d, e.name)
		} else if m := d.match(e.name); m != nil { // renamed before stat
			di.renamed[e.cookie] = m
		}
	case e.mask&unix.IN_MOVED_TO != 0:
		m := d.match(e.name)
		if f := di.moving[e.cookie]; f != nil {
			delete(di.moving, e.cookie)
			di.named(f, d, e.name)
			m = f.source
		} else if was := di.renamed[e.cookie]; was != nil {
			m = was
		}
		di.touched = append(di.touched, touch{dir: d, name: e.name, matcher: m})
	case e.mask&unix.IN_DELETE != 0:
		delete(d.unseen, e.name)
		di.nameGone(d, e.name)
	case e.mask&unix.IN_CREATE != 0:
		di.touched = append(di.touched, touch{dir: d, name: e.name, matcher: d.match(e.name)})
	}
}

// touch is a new name and the source that matches it; nil: none.
type touch struct {
	dir     *directory
	name    string
	matcher *matcher
	isDir   bool
}

// seeTouched calls stat for the new names after all events were handled. An event reports what a
// name was, and stat what it is now. If stat were called between two events, the file that was
// created last could be taken for the one that was renamed.
func (di *discovery) seeTouched() {
	for _, n := range di.touched {
		if n.isDir {
			di.enterTree(n.dir, n.name)
			continue
		}
		di.noticeAs(n.dir, n.name, n.matcher)
	}
	di.touched = di.touched[:0]
}

// named gives a file a name that may have been another file's.
func (di *discovery) named(f *file, d *directory, name string) {
	if d.files[name] == f {
		return
	}
	di.nameGone(d, name)
	d.files[name] = f
	f.places = append(f.places, place{d, name})
	f.last, f.away = f.path(), false
	if f.stream != nil {
		f.live = f.stream.Path == f.last && !f.copied
	}
}

// nameGone removes a name from the file that had it. A file without a name is read as long as its
// descriptor is open.
func (di *discovery) nameGone(d *directory, name string) {
	f := d.files[name]
	if f == nil {
		return
	}
	delete(d.files, name)
	f.last = filepath.Join(d.path, name)
	f.places = slices.DeleteFunc(f.places, func(p place) bool { return p == place{d, name} })
	if len(f.places) == 0 && f.fd >= 0 {
		f.active = di.now                           // the quiet time begins now
		if s := f.stream; s != nil && f.deleted() { // a start after a crash does not search for it
			di.cfg.Checkpoint.Update(func() { s.GoneUnix = di.now.Unix() })
		}
	}
}

// notice checks the file that has the name now.
func (di *discovery) notice(d *directory, name string) { di.noticeAs(d, name, d.match(name)) }

// noticeAs is notice for a log of the source m; nil: no source.
func (di *discovery) noticeAs(d *directory, name string, m *matcher) {
	path := filepath.Join(d.path, name)
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if err == unix.ENOENT {
		delete(d.unseen, name)
		di.nameGone(d, name)
		return
	}
	if err != nil {
		if m != nil {
			di.cannotSee(d, name, &os.PathError{Op: "stat", Path: path, Err: err})
		}
		return
	}
	delete(d.unseen, name)
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		di.nameGone(d, name)
		return
	}
	id := idOf(&st)
	if f := di.set.files[id]; f != nil {
		nameless := len(f.places) == 0 && f.fd < 0
		di.named(f, d, name)
		if !nameless {
			if !di.first {
				di.follower.compareTo(f, &st)
			}
			return
		}
		// The inode may belong to another file now; then the watch has ended.
		if err := di.follower.coldEvents(); err != nil || di.set.files[id] == f {
			return
		}
	}
	if m == nil {
		di.nameGone(d, name)
		return
	}
	if link, err := os.Readlink(path); err == nil && link != "" {
		d.links = true
	}
	m.matched = true
	f := &file{id: id, source: m, fd: -1, wd: -1, mark: di.contents.markOf(nil), size: st.Size, active: di.now}
	di.set.files[id] = f
	di.named(f, d, name)
	if at := time.Unix(st.Mtim.Unix()); at.Before(di.now) { // the time may come from a wrong clock
		f.active = at
	}
	if !di.first {
		di.follower.admit(f)
	}
}
