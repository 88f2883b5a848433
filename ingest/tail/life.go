package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
)

// admit begins to follow a file: it is opened, identified, and swept while it
// grows.
func (t *Tailer) admit(f *file) {
	if !t.open(f) {
		return
	}
	t.meet(f)
	t.settle(f)
}

// meetAll admits what the first listing found: first the logs that are known by
// their inode, so that a copy of one of them is seen to be one.
func (t *Tailer) meetAll() {
	var strangers []*file
	for _, f := range t.files {
		if !t.open(f) {
			continue
		}
		start, err := t.headOf(f)
		if err != nil {
			t.failed(f, err)
			continue
		}
		if t.cfg.Checkpoint.Find(t.cfg.Host, f.seen(start)) != nil {
			t.meet(f)
			t.settle(f)
			continue
		}
		t.closeFile(f)
		strangers = append(strangers, f)
	}
	t.findMissing()
	for _, f := range strangers {
		if f.stream == nil {
			t.admit(f)
		}
	}
}

// open opens a file by its name and makes it hot. It must be the file it was.
func (t *Tailer) open(f *file) bool {
	t.makeRoom(1)
	fd, st, err := openRegular(f.path())
	if err != nil && t.pressed(err) {
		fd, st, err = openRegular(f.path())
	}
	if err == nil && idOf(&st) != f.id {
		unix.Close(fd)
		err = fmt.Errorf("%s: another file has this name", f.path())
		t.relist = true
	}
	if errors.Is(err, unix.ENOENT) && len(f.places) > 0 {
		t.relist = true
	}
	if err != nil {
		t.failed(f, err)
		return false
	}
	if f.err != nil {
		if f.attempts >= attemptsToTell {
			t.cfg.Log.Info("log read recovered", "path", f.path(), "after", t.ago(f.since))
		}
		f.failure = failure{}
		t.failing = slices.DeleteFunc(t.failing, func(o *file) bool { return o == f })
	}
	f.fd, f.size, f.refused.size = fd, st.Size, -1
	delete(t.polled, f)
	f.waits, f.unseen = false, true
	if f.bornNs == 0 {
		f.bornNs = t.bornNs(f.id, logfile.BornNs(fd))
	}
	t.hot = append(t.hot, f)
	if f.stream != nil {
		t.met(f)
	}
	return true
}

// bornNs is when a file was made, ns since 1970; 0 where that is not known.
func (t *Tailer) bornNs(id logfile.ID, told int64) int64 {
	if t.bornAt != nil {
		return t.bornAt(id)
	}
	return told
}

// settle lets a file that was quiet before it was opened go cold at once: at the
// start there may be thousands.
func (t *Tailer) settle(f *file) {
	if f.fd >= 0 && t.now.Sub(f.active) > t.quiet() && !slices.Contains(t.held, f) {
		t.cool(f)
	}
}

// failed notes that a file cannot be read; it is tried again. The log says so from
// the second time on: a log that logrotate has just made is root's alone until it
// has got its owner and permissions, and whoever is not root may look between.
func (t *Tailer) failed(f *file, err error) {
	t.counters.Failures.Add(1)
	t.closeFile(f)
	if f.fail(err, t.now) {
		t.failing = append(t.failing, f)
	}
	if f.attempts == attemptsToTell {
		t.cfg.Log.Warn("log read failed, retrying", "path", f.path(), "err", err)
	}
}

// quiet is how long a file must not have grown to be cold.
func (t *Tailer) quiet() time.Duration {
	return max(quietSweeps*t.cfg.interval(len(t.hot)), 10*time.Second)
}

// cool closes a file and has the kernel tell of its next write. It reports false
// when the file was written meanwhile, or there are no more watches.
func (t *Tailer) cool(f *file) bool {
	if f.size > f.read && !f.part {
		return false
	}
	wd, err := t.watch.watchCold(f.fd)
	if err != nil && t.watch.cold < 0 {
		return t.coolUnwatched(f)
	}
	if err != nil {
		t.cannotWatch(f, err)
		return false
	}
	// Whatever was written before the watch is seen here, whatever comes after it
	// is told.
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		t.watch.unwatchCold(wd)
		return false
	}
	f.wd, f.modified = wd, st.Mtim
	t.coldBy[wd] = f
	if !t.local(f) {
		t.polled[f] = true
	}
	t.closeFile(f)
	return true
}

// coolUnwatched closes a file where the kernel gives no watches: it is polled.
func (t *Tailer) coolUnwatched(f *file) bool {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil || st.Size != f.size || st.Nlink == 0 {
		return false
	}
	t.closePolled(f, &st)
	return true
}

func (t *Tailer) unwatchFile(f *file) {
	if f.wd >= 0 {
		delete(t.coldBy, f.wd)
		t.watch.unwatchCold(f.wd)
		f.wd = -1
	}
}

// coldEvent is one event of a cold file.
func (t *Tailer) coldEvent(e event) {
	f := t.coldBy[e.wd]
	if f == nil {
		return
	}
	delete(t.coldBy, e.wd)
	f.wd = -1
	if e.mask&unix.IN_MODIFY != 0 {
		t.warm(f)
		return
	}
	t.gone(f) // the watch ended with its inode
}

// warm opens a file that was cold.
func (t *Tailer) warm(f *file) {
	t.unwatchFile(f)
	if len(f.places) == 0 {
		t.outOfSight(f)
		return
	}
	if t.open(f) {
		f.active = t.now
	}
}

// outOfSight is a file that was written after it was moved to where no source
// looks: its lines can be read nowhere.
func (t *Tailer) outOfSight(f *file) {
	t.addLoss(checkpoint.Loss{Path: f.last, From: f.read, Unknown: true})
	t.cfg.Log.Error("log written after it was moved out of the sources' directories, lines lost", "path", f.last, "inode", f.id.Inode, "hint", "add the directory that the log is moved to as a source")
	t.gone(f)
}

// gone ends a file: it was removed, and everything that could be read was.
func (t *Tailer) gone(f *file) {
	if s := f.stream; s != nil {
		t.cfg.Checkpoint.Update(func() {
			s.GoneUnix = t.now.Unix()
			s.SeenBytes = max(s.SeenBytes, f.read)
		})
	}
	t.drop(f)
}

// retire closes a file without a name that is finished.
// It reports false when it has to be tried again.
func (t *Tailer) retire(ctx context.Context, f *file) bool {
	var st unix.Stat_t
	switch err := unix.Fstat(f.fd, &st); {
	case err == nil && st.Nlink > 0:
		return t.cool(f) // moved out of sight
	case err == nil && st.Size > f.size: // the next sweep reads it
		f.size, f.part = st.Size, false
		return false
	}
	if f.size > f.read && (!f.part || !t.finishLine(ctx, f)) {
		return false
	}
	t.gone(f)
	return true
}

// truncated begins a new life of a file whose bytes before the position are not
// what they were. What was cut off unread is looked for in a copy.
func (t *Tailer) truncated(f *file) {
	if s := f.stream; s != nil {
		was, unread := f.read, f.unread()
		if !t.continueInCopy(f) {
			t.lost(f, unread)
		}
		t.cfg.Log.Info("log truncated", "path", f.path(), "read_bytes", was, "stream", s.ID)
		t.positions[s.ID] = max(t.positions[s.ID], was)
		f.rotated(t.now)
	}
	f.stream, f.copied, f.hole, f.holeBytes = nil, false, 0, 0
	f.read, f.size, f.mark, f.growth = 0, 0, t.markOf(nil), nil
}

// lost counts what was deleted or cut off before it was read.
func (t *Tailer) lost(f *file, bytes int64) {
	if bytes <= 0 {
		return
	}
	s := f.stream
	t.cfg.Checkpoint.Update(func() { s.LostBytes += bytes })
	t.addLoss(checkpoint.Loss{Path: f.path(), Stream: s.ID, From: f.read, Bytes: bytes})
	t.cfg.Log.Error("lines deleted before they were read, lines lost", "path", f.path(), "stream", s.ID, "offset", f.read, "bytes", bytes)
}

// fileSize is an open file's length.
func fileSize(fd int) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	return st.Size, nil
}

// readerAt reads a descriptor that somebody else owns.
type readerAt int

func (r readerAt) ReadAt(b []byte, offset int64) (int, error) { return preadFull(int(r), b, offset) }
