package tail

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/logfile"
)

// directory is a folder that a source names.
type directory struct {
	path      string
	id        logfile.ID
	wd        int32
	matchers  []*matcher
	files     map[string]*file // by name
	listed    bool             // its present content is known
	links     bool             // a log in it is a symbolic link
	unwatched bool             // no watch was left for it: it is listed every dirsInterval
	// unseen are the names that cannot be looked at: a symbolic link into a folder
	// that is shut, or to itself. They are tried again with the listings.
	unseen map[string]*failure
	failure
}

func (d *directory) match(name string) *matcher {
	for _, m := range d.matchers {
		if m.match(d.path, name) {
			return m
		}
	}
	return nil
}

// findDirs brings the directories up to date with the sources.
func (t *Tailer) findDirs() {
	for _, m := range t.matchers {
		paths, err := m.expand()
		if err != nil {
			t.cfg.Log.Warn("cannot find the directories of a source, retrying", "source", m.Pattern, "err", err)
			continue
		}
		for _, path := range paths {
			if t.dirs[path] == nil && m.globbed {
				if info, err := os.Stat(path); err != nil || !info.IsDir() {
					continue
				}
			}
			t.addDirectory(m, path)
		}
	}
}

// listAll lists every directory.
func (t *Tailer) listAll() {
	t.treesFit()
	t.findDirs()
	for _, d := range slices.Collect(maps.Values(t.dirs)) {
		t.list(d)
	}
	t.nextDirs = t.now.Add(dirsInterval)
	t.nextListing = t.now.Add(listingInterval)
}

// list compares a directory with what is known of it. The watch comes first:
// what comes after it is told.
func (t *Tailer) list(d *directory) {
	err := t.watchDirectory(d)
	var entries []fs.DirEntry
	if err == nil {
		entries, err = t.readDir(d.path)
	}
	if err != nil {
		t.directoryFailed(d, err)
		return
	}
	if d.err != nil {
		t.cfg.Log.Info("directory read recovered", "path", d.path, "after", t.ago(d.since))
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
		t.nameGone(d, name)
		nameless = true
	}
	t.listTree(d, entries)
	for _, e := range entries {
		if d.match(e.Name()) != nil || d.files[e.Name()] != nil || nameless {
			t.notice(d, e.Name())
		}
	}
}

func (t *Tailer) watchDirectory(d *directory) error {
	if d.wd >= 0 {
		return nil
	}
	wd, err := t.watch.watchDir(d.path)
	if errors.Is(err, unix.ENOSPC) {
		if !d.unwatched {
			t.cfg.Log.Warn("directory cannot be watched, listing it every 10 s instead", "path", d.path, "err", err)
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
		t.dirsBy[wd] = d
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

// checkDirectory finds out that a directory was removed or replaced. Its watch
// does not tell as long as a file that was in it is open.
func (t *Tailer) checkDirectory(d *directory) {
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
	t.directoryFailed(d, err)
	d.next = t.now
}

// directoryFailed notes a directory that cannot be read; it is tried again.
func (t *Tailer) directoryFailed(d *directory, err error) {
	first := d.fail(err, t.now)
	if !t.directoryGone(d, err) {
		t.counters.Failures.Add(1)
		if first {
			t.nextHousekeeping = t.now // the status is to say so soon
			t.cfg.Log.Warn("directory read failed, retrying", "path", d.path, "err", err)
		}
	}
	if d.wd >= 0 {
		if t.dirsBy[d.wd] == d { // else it was renamed, and its watch is the new name's
			delete(t.dirsBy, d.wd)
			t.watch.unwatchDir(d.wd)
		}
		d.wd = -1
	}
	d.listed = false
	if errors.Is(err, fs.ErrNotExist) {
		for name := range d.files {
			t.nameGone(d, name)
		}
	}
}

// cannotSee notes a name that cannot be looked at. The directory's other names
// are none the worse for it.
func (t *Tailer) cannotSee(d *directory, name string, err error) {
	t.counters.Failures.Add(1)
	failed := d.unseen[name]
	if failed == nil {
		failed = &failure{}
		if d.unseen == nil {
			d.unseen = map[string]*failure{}
		}
		d.unseen[name] = failed
	}
	if failed.fail(err, t.now) {
		t.cfg.Log.Warn("log stat failed, retrying", "path", filepath.Join(d.path, name), "err", err)
	}
}

// dirEvent is one event of a watched directory.
func (t *Tailer) dirEvent(e event) {
	d := t.dirsBy[e.wd]
	if d == nil {
		return
	}
	if newDirectory(e) && d.inTree() {
		t.touched = append(t.touched, touch{dir: d, name: e.name, isDir: true})
		return
	}
	switch {
	case e.mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0:
		t.directoryFailed(d, &os.PathError{Op: "watch", Path: d.path, Err: fs.ErrNotExist})
	case e.mask&unix.IN_MOVED_FROM != 0:
		if f := d.files[e.name]; f != nil {
			t.moving[e.cookie] = f
			t.nameGone(d, e.name)
		} else if m := d.match(e.name); m != nil { // gone before it was looked at
			t.renamed[e.cookie] = m
		}
	case e.mask&unix.IN_MOVED_TO != 0:
		m := d.match(e.name)
		if f := t.moving[e.cookie]; f != nil {
			delete(t.moving, e.cookie)
			t.named(f, d, e.name)
			m = f.source
		} else if was := t.renamed[e.cookie]; was != nil {
			m = was
		}
		t.touched = append(t.touched, touch{dir: d, name: e.name, matcher: m})
	case e.mask&unix.IN_DELETE != 0:
		delete(d.unseen, e.name)
		t.nameGone(d, e.name)
	case e.mask&unix.IN_CREATE != 0:
		t.touched = append(t.touched, touch{dir: d, name: e.name, matcher: d.match(e.name)})
	}
}

// touch is a name that came, and the source of what has it; nil: none.
type touch struct {
	dir     *directory
	name    string
	matcher *matcher
	isDir   bool
}

// seeTouched looks at the names that came. Only when all events were seen: an
// event tells what a name was, and a look what it is; looked at in between, the
// file that was made last would be taken for the one that was renamed.
func (t *Tailer) seeTouched() {
	for _, n := range t.touched {
		if n.isDir {
			t.enterTree(n.dir, n.name)
			continue
		}
		t.noticeAs(n.dir, n.name, n.matcher)
	}
	t.touched = t.touched[:0]
}

// named gives a file a name, which may have been another one's.
func (t *Tailer) named(f *file, d *directory, name string) {
	if d.files[name] == f {
		return
	}
	t.nameGone(d, name)
	d.files[name] = f
	f.places = append(f.places, place{d, name})
	f.last, f.away = f.path(), false
	if f.stream != nil {
		f.live = f.stream.Path == f.last && !f.copied
	}
}

// nameGone takes a name away from the file that had it. A file without a name is
// read on as long as its descriptor is open.
func (t *Tailer) nameGone(d *directory, name string) {
	f := d.files[name]
	if f == nil {
		return
	}
	delete(d.files, name)
	f.last = filepath.Join(d.path, name)
	f.places = slices.DeleteFunc(f.places, func(p place) bool { return p == place{d, name} })
	if len(f.places) == 0 && f.fd >= 0 {
		f.active = t.now                            // it is quiet from now on
		if s := f.stream; s != nil && f.deleted() { // a start after a crash does not look for it
			t.cfg.Checkpoint.Update(func() { s.GoneUnix = t.now.Unix() })
		}
	}
}

// notice looks at what has that name now.
func (t *Tailer) notice(d *directory, name string) { t.noticeAs(d, name, d.match(name)) }

// noticeAs is notice for a log of the source m; nil: of no source.
func (t *Tailer) noticeAs(d *directory, name string, m *matcher) {
	path := filepath.Join(d.path, name)
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if err == unix.ENOENT {
		delete(d.unseen, name)
		t.nameGone(d, name)
		return
	}
	if err != nil {
		if m != nil {
			t.cannotSee(d, name, &os.PathError{Op: "stat", Path: path, Err: err})
		}
		return
	}
	delete(d.unseen, name)
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		t.nameGone(d, name)
		return
	}
	id := idOf(&st)
	if f := t.files[id]; f != nil {
		nameless := len(f.places) == 0 && f.fd < 0
		t.named(f, d, name)
		if !nameless {
			if !t.first {
				t.compareTo(f, &st)
			}
			return
		}
		// Its inode may be another file's by now: then its watch has ended.
		if err := t.coldEvents(); err != nil || t.files[id] == f {
			return
		}
	}
	if m == nil {
		t.nameGone(d, name)
		return
	}
	if link, err := os.Readlink(path); err == nil && link != "" {
		d.links = true
	}
	m.matched = true
	f := &file{id: id, source: m, fd: -1, wd: -1, mark: t.markOf(nil), size: st.Size, active: t.now}
	t.files[id] = f
	t.named(f, d, name)
	if at := time.Unix(st.Mtim.Unix()); at.Before(t.now) { // a wrong clock may have written it
		f.active = at
	}
	if !t.first {
		t.admit(f)
	}
}
