package tail

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// names tracks which file has which name.
type names struct {
	*env
	contents *contents
	set      *fileSet
	follower follower
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

// named gives a file a name that may have been another file's.
func (na *names) named(f *file, d *directory, name string) {
	if d.files[name] == f {
		return
	}
	na.nameGone(d, name)
	d.files[name] = f
	f.places = append(f.places, place{d, name})
	f.last, f.away = f.path(), false
	if f.stream != nil {
		f.live = f.stream.Path == f.last && !f.copied
	}
}

// nameGone removes a name from the file that had it. A file without a name is read as long as its
// descriptor is open.
func (na *names) nameGone(d *directory, name string) {
	f := d.files[name]
	if f == nil {
		return
	}
	delete(d.files, name)
	f.last = filepath.Join(d.path, name)
	f.places = slices.DeleteFunc(f.places, func(p place) bool { return p == place{d, name} })
	if len(f.places) == 0 && f.fd >= 0 {
		f.active = na.now                           // the quiet time begins now
		if s := f.stream; s != nil && f.deleted() { // a start after a crash does not search for it
			na.cfg.Checkpoint.Update(func() { s.GoneUnix = na.now.Unix() })
		}
	}
}

// notice checks the file that has the name now.
func (na *names) notice(d *directory, name string) { na.noticeAs(d, name, d.match(name)) }

// noticeAs is notice for a log of the source m; nil: no source.
func (na *names) noticeAs(d *directory, name string, m *matcher) {
	path := filepath.Join(d.path, name)
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if err == unix.ENOENT {
		delete(d.unseen, name)
		na.nameGone(d, name)
		return
	}
	if err != nil {
		if m != nil {
			na.cannotSee(d, name, &os.PathError{Op: "stat", Path: path, Err: err})
		}
		return
	}
	delete(d.unseen, name)
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		na.nameGone(d, name)
		return
	}
	id := idOf(&st)
	if f := na.set.files[id]; f != nil {
		nameless := len(f.places) == 0 && f.fd < 0
		na.named(f, d, name)
		if !nameless {
			if !na.first {
				na.follower.compareTo(f, &st)
			}
			return
		}
		// The inode may belong to another file now; then the watch has ended.
		if err := na.follower.coldEvents(); err != nil || na.set.files[id] == f {
			return
		}
	}
	if m == nil {
		na.nameGone(d, name)
		return
	}
	if link, err := os.Readlink(path); err == nil && link != "" {
		d.links = true
	}
	m.matched = true
	f := &file{id: id, source: m, fd: -1, wd: -1, mark: na.contents.markOf(nil), size: st.Size, active: na.now}
	na.set.files[id] = f
	na.named(f, d, name)
	if at := time.Unix(st.Mtim.Unix()); at.Before(na.now) { // the time may come from a wrong clock
		f.active = at
	}
	if !na.first {
		na.follower.admit(f)
	}
}

// cannotSee records that stat failed for a name. Other files in the directory are unaffected.
func (na *names) cannotSee(d *directory, name string, err error) {
	na.counters.Failures.Add(1)
	failed := d.unseen[name]
	if failed == nil {
		failed = &failure{}
		if d.unseen == nil {
			d.unseen = map[string]*failure{}
		}
		d.unseen[name] = failed
	}
	if failed.fail(err, na.now) {
		na.cfg.Log.Warn("log stat failed, retrying", "path", filepath.Join(d.path, name), "err", err)
	}
}
