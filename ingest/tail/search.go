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

// quest is a search for a file that has the bytes of a stream whose own file was truncated or is
// gone.
type quest struct {
	stream   *checkpoint.Stream
	path     string // the last known path of the log
	source   *matcher
	position int64 // from where it must be read
	// before, if not nil, compares the bytes before position with those that were read.
	before func(before []byte) bool
	// err is set if no descriptor was free to read a file. A stream that is not found is then not
	// counted as lost.
	err error
}

// failed records that a file could not be read.
func (q *quest) failed(err error) {
	if noDescriptor(err) {
		q.err = err
	}
}

// searcher searches for the files that have the bytes of streams whose own file was truncated or is
// gone.
type searcher struct {
	*env
	contents    *contents
	streams     *streams
	set         *fileSet
	descriptors *descriptors
	directories *directories
	names       *names
	identifier  *identifier
	rests       *restReader
	listings    map[string]*listing // of the present step
	heads       heads
}

// continueInCopy searches for the copy of a log that was just truncated, and lets its unread part
// be read from there. It reports whether that is done or will be tried again.
func (sr *searcher) continueInCopy(f *file) bool {
	mark := f.mark
	q := &quest{stream: f.stream, path: f.path(), source: f.source, position: f.read, before: func(before []byte) bool { return sr.contents.markOf(before) == mark }}
	if sr.search(q) {
		return true
	}
	if q.err == nil {
		return false
	}
	sr.streams.positions[f.stream.ID] = max(sr.streams.positions[f.stream.ID], f.read)
	sr.streams.missing = append(sr.streams.missing, f.stream) // searched again
	return true
}

// search searches for a file that has a stream's bytes: first among the files that are held back
// and those with a rotation's name beside the log, then among all files near it.
func (sr *searcher) search(q *quest) bool {
	if sr.searchNames(q) || sr.searchAll(q) {
		return true
	}
	if q.err == nil || !sr.descriptors.pressed(q.err) {
		return false
	}
	q.err = nil
	return sr.searchNames(q) || sr.searchAll(q)
}

// searchNames checks files whose names are rotations of the log's.
func (sr *searcher) searchNames(q *quest) bool {
	if sr.searchHeld(q) {
		return true
	}
	seen := map[string]bool{}
	for again := range 2 {
		l := sr.listing(filepath.Dir(q.path), again > 0)
		q.failed(l.err)
		var found []candidate
		for _, name := range l.byName[checkpoint.RotatedName(q.path)] {
			if !seen[name] && name != q.path && checkpoint.KinshipOf(name, q.stream.Path) == checkpoint.RotatedHere {
				if c, ok := sr.candidate(q, name); ok {
					found = append(found, c)
				}
			}
			seen[name] = true
		}
		if sr.takeBest(q, found) {
			return true
		}
		if l.fresh {
			break
		}
	}
	return false
}

// searchHeld checks files that are held back and have no name any more: copies that logrotate
// compressed and removed.
func (sr *searcher) searchHeld(q *quest) bool {
	for _, f := range sr.set.held {
		if !f.deleted() || !sr.cfg.Checkpoint.Logs.MayHold(q.stream, f.path(), f.bornNs) {
			continue
		}
		start, err := sr.contents.startOf(f)
		if err == nil && sr.isQuest(q, start, contentOf(f)) {
			return sr.takeFile(q, f)
		}
	}
	return false
}

// maxSearchedDirs is the limit of other sources' directories that are searched.
const maxSearchedDirs = 256

// searchAll checks all files beside the log, in the directories where its bytes were seen last, and
// in the sources' directories, because one may be logrotate's olddir.
func (sr *searcher) searchAll(q *quest) bool {
	dirs := append(q.stream.Dirs(), filepath.Dir(q.path))
	for dir := range sr.directories.byPath {
		if len(sr.directories.byPath) <= maxSearchedDirs || strings.HasPrefix(dir, filepath.Dir(q.stream.Path)+"/") {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	var found []candidate
	for _, dir := range slices.Compact(dirs) {
		l := sr.listing(dir, true)
		beginning := sr.beginning(l, dir)
		q.failed(l.err)
		for _, name := range beginning[q.stream.Head] {
			if c, ok := sr.candidate(q, name); ok {
				found = append(found, c)
			}
		}
	}
	return sr.takeBest(q, found)
}

// candidate is a file that has the bytes of the stream.
type candidate struct {
	path       string
	id         logfile.ID
	kinship    checkpoint.Kinship
	compressed bool
	length     int64 // of its content
}

// candidate checks a file. ok is false if it does not have the bytes, or is another log's.
func (sr *searcher) candidate(q *quest, path string) (c candidate, ok bool) {
	l, err := logfile.Look(path)
	if err != nil {
		q.failed(err)
		return c, false
	}
	if f := sr.set.files[l.ID]; f != nil && f.stream != nil {
		return c, false // a log of its own, or the stream's own file, which was truncated
	}
	born := sr.bornNs(l.ID, l.BornNs)
	known := sr.cfg.Checkpoint.Logs.HasFile(q.stream, l.ID, born)
	if !known && !sr.cfg.Checkpoint.Logs.MayHold(q.stream, path, born) {
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
	if o := sr.cfg.Checkpoint.Logs.Find(sr.cfg.Host, checkpoint.Log{ID: l.ID, BornNs: born, Start: start}); o != nil && o != q.stream && sr.holds(q, o, l.Open) {
		return c, false
	}
	if !sr.isQuest(q, start, l.Open) {
		return c, false
	}
	return candidate{path, l.ID, checkpoint.KinshipOf(path, q.stream.Path), l.Compressed(), -1}, true
}

// holds reports whether the content has a stream's fingerprint.
func (sr *searcher) holds(q *quest, s *checkpoint.Stream, open func() (io.ReadCloser, error)) bool {
	if !sr.cfg.Checkpoint.Fingerprints.HasTail(s) {
		return true // nothing was read of it
	}
	same, err := sr.cfg.Checkpoint.Fingerprints.Holds(s, open)
	q.failed(err)
	return same && err == nil
}

// isQuest reports whether content that begins with start is the stream's.
func (sr *searcher) isQuest(q *quest, start []byte, open func() (io.ReadCloser, error)) bool {
	if len(start) == 0 || !q.stream.Begins(start) || !sr.holds(q, q.stream, open) {
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

// takeBest continues the stream in the best of the candidates: one with a rotation's name, and of
// these the longest, because a copy that was made earlier does not have the end.
func (sr *searcher) takeBest(q *quest, found []candidate) bool {
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
		if c.compressed && sr.rests.readRest(q, c.path) || !c.compressed && sr.readCopy(q, c.path) {
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

// contentLength returns the uncompressed length of a file, as far as it can be read.
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
	n, _ := io.Copy(io.Discard, r) //nolint:errcheck // a damaged file counts up to its damage
	return n
}

// readCopy follows an uncompressed copy as the stream's continuation.
func (sr *searcher) readCopy(q *quest, path string) bool {
	sr.descriptors.makeRoom(1)
	fd, st, err := openRegular(path)
	if err != nil {
		q.failed(err)
		return false
	}
	f := sr.set.files[idOf(&st)]
	if f != nil && f.stream != nil {
		unix.Close(fd)
		return false // it became a log of its own
	}
	if f == nil {
		f = &file{id: idOf(&st), source: q.source, fd: -1, wd: -1, last: path, bornNs: sr.bornNs(idOf(&st), logfile.BornNs(fd))}
		sr.set.files[f.id] = f
		if d := sr.directories.byPath[filepath.Dir(path)]; d != nil {
			sr.names.named(f, d, filepath.Base(path))
		}
	}
	sr.set.replace(f, fd)
	f.size, f.active = st.Size, sr.now
	return sr.takeFile(q, f)
}

// takeFile follows an open file as the stream's continuation.
func (sr *searcher) takeFile(q *quest, f *file) bool {
	f.stream, f.copied, f.live = q.stream, true, false
	sr.set.release(f)
	if !sr.identifier.resume(f, q.position) {
		f.stream = nil
		sr.set.failed(f, errors.New(f.path()+": it is shorter than what was read of it"))
		return false
	}
	sr.contents.met(f)
	sr.cfg.Checkpoint.Logs.AddFile(q.stream, f.path(), f.id, f.bornNs)
	return true
}
