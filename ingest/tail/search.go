package tail

import (
	"cmp"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// quest is a search for a file that holds a stream whose own file was truncated or
// is gone.
type quest struct {
	stream   *checkpoint.Stream
	path     string // by which the log was known
	source   *matcher
	position int64 // from where it is read on
	// before, if any, compares the bytes before position with those that were read.
	before func(before []byte) bool
	// err is that there was no descriptor left to look at a file: what is not found is
	// not lost for that.
	err error
}

// failed notes why a file could not be looked at.
func (q *quest) failed(err error) {
	if noDescriptor(err) {
		q.err = err
	}
}

// continueInCopy looks for the copy of a log that was just truncated, and has
// what is unread of it read from there.
func (t *Tailer) continueInCopy(f *file) bool {
	mark := f.mark
	q := &quest{stream: f.stream, path: f.path(), source: f.source, position: f.read, before: func(before []byte) bool { return t.markOf(before) == mark }}
	if t.search(q) {
		return true
	}
	if q.err == nil {
		return false
	}
	t.positions[f.stream.ID] = max(t.positions[f.stream.ID], f.read)
	t.missing = append(t.missing, f.stream) // it is looked for again
	return true
}

// search looks for a file that holds a stream: first among those that are held back
// and those with a rotation's name beside the log, then among all that are near.
func (t *Tailer) search(q *quest) bool {
	if t.searchNames(q) || t.searchAll(q) {
		return true
	}
	if q.err == nil || !t.pressed(q.err) {
		return false
	}
	q.err = nil
	return t.searchNames(q) || t.searchAll(q)
}

// searchNames looks at files whose names are rotations of the log's.
func (t *Tailer) searchNames(q *quest) bool {
	if t.searchHeld(q) {
		return true
	}
	seen := map[string]bool{}
	for again := range 2 {
		l := t.listing(filepath.Dir(q.path), again > 0)
		q.failed(l.err)
		var found []candidate
		for _, name := range l.byName[checkpoint.RotatedName(q.path)] {
			if !seen[name] && name != q.path && checkpoint.KinshipOf(name, q.stream.Path) == checkpoint.RotatedHere {
				if c, ok := t.candidate(q, name); ok {
					found = append(found, c)
				}
			}
			seen[name] = true
		}
		if t.takeBest(q, found) {
			return true
		}
		if l.fresh {
			break
		}
	}
	return false
}

// searchHeld looks at files that are held back and have no name any more: logrotate
// compressed the copy, and removed it.
func (t *Tailer) searchHeld(q *quest) bool {
	for _, f := range t.held {
		if !f.deleted() || !t.cfg.Checkpoint.MayHold(q.stream, f.path(), f.bornNs) {
			continue
		}
		start, err := t.headOf(f)
		if err == nil && t.isQuest(q, start[:min(len(start), schema.MaxHeadBytes)], contentOf(f)) {
			return t.takeFile(q, f)
		}
	}
	return false
}

// maxSearchedDirs bounds the directories of other sources that are looked through.
const maxSearchedDirs = 256

// searchAll looks at all files beside the log, where its bytes were seen last, and in
// the sources' directories: an olddir may be one.
func (t *Tailer) searchAll(q *quest) bool {
	dirs := append(q.stream.Dirs(), filepath.Dir(q.path))
	for dir := range t.dirs {
		if len(t.dirs) <= maxSearchedDirs || strings.HasPrefix(dir, filepath.Dir(q.stream.Path)+"/") {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	var found []candidate
	for _, dir := range slices.Compact(dirs) {
		l := t.listing(dir, true)
		beginning := t.beginning(l, dir)
		q.failed(l.err)
		for _, name := range beginning[q.stream.Head] {
			if c, ok := t.candidate(q, name); ok {
				found = append(found, c)
			}
		}
	}
	return t.takeBest(q, found)
}

// candidate is a file that holds the stream that is looked for.
type candidate struct {
	path       string
	id         logfile.ID
	kinship    checkpoint.Kinship
	compressed bool
	length     int64 // of its content
}

// candidate looks at a file. False: it is not what is looked for, or another log's.
func (t *Tailer) candidate(q *quest, path string) (c candidate, ok bool) {
	l, err := logfile.Look(path)
	if err != nil {
		q.failed(err)
		return c, false
	}
	if f := t.files[l.ID]; f != nil && f.stream != nil {
		return c, false // a log of its own, or the stream's, which was truncated
	}
	born := t.bornNs(l.ID, l.BornNs)
	known := t.cfg.Checkpoint.HasFile(q.stream, l.ID, born)
	if !known && !t.cfg.Checkpoint.MayHold(q.stream, path, born) {
		return c, false
	}
	r, err := logfile.Open(path)
	if err != nil {
		q.failed(err)
		return c, false
	}
	start, _, err := logfile.Head(r, make([]byte, schema.MaxHeadBytes))
	r.Close() //nolint:errcheck // it was only read
	if err != nil {
		return c, false
	}
	if o := t.cfg.Checkpoint.Find(t.cfg.Host, checkpoint.Log{ID: l.ID, BornNs: born, Start: start}); o != nil && o != q.stream && t.holds(q, o, l.Open) {
		return c, false
	}
	if !t.isQuest(q, start, l.Open) {
		return c, false
	}
	return candidate{path, l.ID, checkpoint.KinshipOf(path, q.stream.Path), l.Compressed(), -1}, true
}

// holds reports whether the content has a stream's fingerprint.
func (t *Tailer) holds(q *quest, s *checkpoint.Stream, open func() (io.ReadCloser, error)) bool {
	if !t.cfg.Checkpoint.HasTail(s) {
		return true // nothing was read of it
	}
	same, err := t.cfg.Checkpoint.Holds(s, open)
	q.failed(err)
	return same && err == nil
}

// isQuest reports whether content that begins with start is what is looked for.
func (t *Tailer) isQuest(q *quest, start []byte, open func() (io.ReadCloser, error)) bool {
	if len(start) == 0 || !q.stream.Begins(start) || !t.holds(q, q.stream, open) {
		return false
	}
	r, err := open()
	if err != nil {
		q.failed(err)
		return false
	}
	defer r.Close() //nolint:errcheck // it was only read
	mark := min(q.position, markBytes)
	if err := logfile.Skip(r, q.position-mark); err != nil {
		return false
	}
	before := make([]byte, mark)
	if _, err := io.ReadFull(r, before); err != nil {
		return false
	}
	return q.before == nil || q.before(before)
}

// takeBest reads on in the best of the files that hold the stream: one with a
// rotation's name, and of these the longest, for a copy that was made earlier lacks
// the end.
func (t *Tailer) takeBest(q *quest, found []candidate) bool {
	if len(found) > 1 {
		for i := range found {
			found[i].length = contentLength(found[i].path)
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(rank(b.kinship >= checkpoint.RotatedElsewhere)-rank(a.kinship >= checkpoint.RotatedElsewhere),
			cmp.Compare(b.length, a.length), int(b.kinship)-int(a.kinship), rank(a.compressed)-rank(b.compressed))
	})
	for _, c := range found {
		if c.compressed && t.readRest(q, c.path) || !c.compressed && t.readCopy(q, c.path) {
			return true
		}
	}
	return false
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// contentLength is how many bytes of lines a file holds, as far as they can be read.
func contentLength(path string) int64 {
	r, err := logfile.Open(path)
	if err != nil {
		return 0
	}
	defer r.Close() //nolint:errcheck // it was only read
	if s, ok := r.(io.Seeker); ok {
		n, err := s.Seek(0, io.SeekEnd)
		if err != nil {
			return 0
		}
		return n
	}
	n, _ := io.Copy(io.Discard, r) //nolint:errcheck // what can be read counts
	return n
}

// readCopy follows a plain copy as the stream's continuation.
func (t *Tailer) readCopy(q *quest, path string) bool {
	t.makeRoom(1)
	fd, st, err := openRegular(path)
	if err != nil {
		q.failed(err)
		return false
	}
	f := t.files[idOf(&st)]
	if f != nil && f.stream != nil {
		unix.Close(fd)
		return false // a log of its own
	}
	if f == nil {
		f = &file{id: idOf(&st), source: q.source, fd: -1, wd: -1, last: path, bornNs: t.bornNs(idOf(&st), logfile.BornNs(fd))}
		t.files[f.id] = f
		if d := t.dirs[filepath.Dir(path)]; d != nil {
			t.named(f, d, filepath.Base(path))
		}
	}
	t.unwatchFile(f)
	t.closeFile(f)
	f.fd, f.size, f.active = fd, st.Size, t.now
	t.hot = append(t.hot, f)
	return t.takeFile(q, f)
}

// takeFile follows an open file as the stream's continuation.
func (t *Tailer) takeFile(q *quest, f *file) bool {
	f.stream, f.copied, f.live = q.stream, true, false
	t.release(f)
	if !t.resume(f, q.position) {
		f.stream = nil
		t.failed(f, errors.New(f.path()+": it is shorter than what was read of it"))
		return false
	}
	t.met(f)
	t.cfg.Checkpoint.AddFile(q.stream, f.path(), f.id, f.bornNs)
	return true
}
