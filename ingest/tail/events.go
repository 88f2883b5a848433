package tail

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// nameEvents handles what inotify reports about the directories.
type nameEvents struct {
	*env
	names       *names
	directories *directories

	moving  map[uint32]*file    // files whose old name is gone, by cookie, until the event with the new name
	renamed map[uint32]*matcher // the source of a log that was renamed before stat
	touched []touch             // new names of the current events
}

// handle handles the names that were created, moved or removed.
func (ev *nameEvents) handle() error {
	overflowed, err := ev.watch.drain(ev.watch.dirs, ev.dirEvent)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	clear(ev.renamed)
	ev.seeTouched()
	for cookie, f := range ev.moving { // the other half of a move would have been in the same read
		delete(ev.moving, cookie)
		if len(f.places) == 0 {
			f.away = true
		}
	}
	if overflowed || ev.relist {
		ev.relist = false
		ev.directories.listAll()
	}
	return nil
}

// dirEvent handles one event of a watched directory.
func (ev *nameEvents) dirEvent(e event) {
	d := ev.directories.byWatch[e.wd]
	if d == nil {
		return
	}
	if newDirectory(e) && d.inTree() {
		ev.touched = append(ev.touched, touch{dir: d, name: e.name, isDir: true})
		return
	}
	switch {
	case e.mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0:
		ev.directories.directoryFailed(d, &os.PathError{Op: "watch", Path: d.path, Err: fs.ErrNotExist})
	case e.mask&unix.IN_MOVED_FROM != 0:
		if f := d.files[e.name]; f != nil {
			ev.moving[e.cookie] = f
			ev.names.nameGone(d, e.name)
		} else if m := d.match(e.name); m != nil { // renamed before stat
			ev.renamed[e.cookie] = m
		}
	case e.mask&unix.IN_MOVED_TO != 0:
		m := d.match(e.name)
		if f := ev.moving[e.cookie]; f != nil {
			delete(ev.moving, e.cookie)
			ev.names.named(f, d, e.name)
			m = f.source
		} else if was := ev.renamed[e.cookie]; was != nil {
			m = was
		}
		ev.touched = append(ev.touched, touch{dir: d, name: e.name, matcher: m})
	case e.mask&unix.IN_DELETE != 0:
		delete(d.unseen, e.name)
		ev.names.nameGone(d, e.name)
	case e.mask&unix.IN_CREATE != 0:
		ev.touched = append(ev.touched, touch{dir: d, name: e.name, matcher: d.match(e.name)})
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
func (ev *nameEvents) seeTouched() {
	for _, n := range ev.touched {
		if n.isDir {
			ev.directories.enterTree(n.dir, n.name)
			continue
		}
		ev.names.noticeAs(n.dir, n.name, n.matcher)
	}
	ev.touched = ev.touched[:0]
}
