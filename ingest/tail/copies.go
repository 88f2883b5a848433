package tail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// logrotate's copytruncate copies a log and cuts it; what was appended between
// our last look and the cut is in the copy alone. And a log that was rotated
// while we were away may be there as a copy, or compressed.

// holdBack reports whether a file that is new to us is not to be read as a log of
// its own: it is a copy of one that is there (then it is held back, until it
// differs or the other is cut or gone), or it continues one that is gone.
func (t *Tailer) holdBack(f *file, start []byte) bool {
	for _, s := range t.cfg.Checkpoint.Named(t.cfg.Host, f.path()) {
		if s.GoneUnix != 0 && !slices.Contains(t.missing, s) || !s.Begins(start) {
			continue
		}
		original := t.fileOf(s)
		if original == nil {
			if t.adopt(f, s) {
				return false // it has a stream now; begin is not to be called
			}
			continue
		}
		if original != f && !t.differs(f, original) {
			if !slices.Contains(t.held, f) {
				t.held = append(t.held, f)
				t.cfg.Log.Info("a copy of a log is not read as long as the log itself is there", "copy", f.path(), "log", original.path())
			}
			return true
		}
	}
	t.held = slices.DeleteFunc(t.held, func(o *file) bool { return o == f })
	return false
}

// adopt makes a file the continuation of a stream whose own file is gone.
func (t *Tailer) adopt(f *file, s *checkpoint.Stream) bool {
	if !t.cfg.Checkpoint.HasTail(s) && t.position(s) > 0 {
		return false
	}
	// Of one that nothing was read of, the beginning is all there is to compare,
	// and all of this file is read.
	if same, err := t.cfg.Checkpoint.Holds(s, contentOf(f)); t.cfg.Checkpoint.HasTail(s) && (err != nil || !same) {
		return false
	}
	if !t.resume(f, t.position(s)) {
		return false
	}
	t.cfg.Checkpoint.AddFile(s, f.id)
	f.stream, f.copied, f.live = s, true, false
	t.missing = slices.DeleteFunc(t.missing, func(o *checkpoint.Stream) bool { return o == s })
	return true
}

// fileOf returns the file that a stream is being read from.
func (t *Tailer) fileOf(s *checkpoint.Stream) *file {
	for _, id := range s.Files {
		if f := t.files[id]; f != nil && f.stream == s {
			return f
		}
	}
	return nil
}

// differs reports whether a file is certainly no copy of a log that begins alike:
// its end is not found at the same place of the log. As long as that is not
// known it is not certain: the log cannot be opened under the name it is known
// by, or no longer holds what was read of it, and its next look tells.
func (t *Tailer) differs(copied, original *file) bool {
	fd := original.fd
	if fd < 0 {
		opened, st, err := openRegular(original.path())
		if err != nil {
			return false
		}
		defer unix.Close(opened)
		if idOf(&st) != original.id {
			return false
		}
		fd = opened
	}
	size, err := fileSize(copied.fd)
	if err != nil {
		return false
	}
	n := min(size, compareBytes)
	a, b := make([]byte, n), make([]byte, n)
	if _, err := preadFull(copied.fd, a, size-n); err != nil {
		return false
	}
	if _, err := preadFull(fd, b, size-n); err == nil && bytes.Equal(a, b) {
		return false
	}
	// Looked at last: the log may have been truncated a moment ago, between its copy
	// and our look at it.
	mark := make([]byte, original.markSize())
	if _, err := preadFull(fd, mark, original.read-int64(len(mark))); err != nil || t.markOf(mark) != original.mark {
		return false
	}
	head := make([]byte, schema.MaxHeadBytes)
	k, err := pread(fd, head, original.hole)
	return err == nil && original.stream.Begins(head[:k]) && (original.hole == 0 || stillHole(fd, original.hole))
}

// compareBytes of a copy's end are looked for in the log.
const compareBytes = 4096

// continueInCopy looks for the copy of a log that was just truncated, and has
// what is unread of it read from there.
func (t *Tailer) continueInCopy(f *file) bool {
	return t.search(f.stream, f.path(), f.source, f.read, t.sameAs(f))
}

// sameAs compares with what was read last of a file.
func (t *Tailer) sameAs(f *file) sameLog {
	s, mark := f.stream, f.mark
	return func(_ string, start, before []byte) bool { return s.Begins(start) && t.markOf(before) == mark }
}

// sameLog tells whether a file is the log that is looked for, by its beginning
// and the bytes before the position.
type sameLog func(path string, start, before []byte) bool

// search looks through a log's folder for a file that holds its stream: one that
// begins as it does and has the same bytes before the position. The rest of it is
// read as the stream's.
func (t *Tailer) search(s *checkpoint.Stream, path string, m *matcher, position int64, same sameLog) bool {
	seen := map[string]bool{}
	for again := range 2 {
		l := t.listing(filepath.Dir(path), again > 0)
		for _, name := range l.byName[checkpoint.RotatedName(path)] {
			if !seen[name] && t.takeCopy(s, name, m, position, same) {
				return true
			}
			seen[name] = true
		}
		if l.fresh {
			break
		}
	}
	return false
}

// listing is a folder's regular files that rotations may have made, by the name of
// their log: plain ones before compressed ones.
type listing struct {
	byName   map[string][]string
	modified time.Time // the folder, before it was listed
	settled  bool      // that was long enough ago
	fresh    bool      // it is the folder as it is now
}

// settles is how old a folder's time of modification is when a change since must
// have another: file systems take the kernel's coarse clock.
const settles = 100 * time.Millisecond

// listing lists a folder, once a step: hundreds of logs are truncated at a time.
// Anew it is listed again, where something can have changed since: a fleet is
// rotated log by log, and a copy may have come after that of the log before.
func (t *Tailer) listing(dir string, anew bool) listing {
	l, known := t.listings[dir]
	if known {
		info, err := os.Stat(dir)
		l.fresh = err == nil && l.settled && info.ModTime().Equal(l.modified)
		if l.fresh || !anew {
			return l
		}
	}
	l = listing{byName: map[string][]string{}, fresh: true}
	if info, err := os.Stat(dir); err == nil {
		l.modified = info.ModTime()
		l.settled = time.Since(l.modified) >= settles
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return l
	}
	for _, compressed := range []bool{false, true} {
		for _, e := range entries {
			if e.Type().IsRegular() && logfile.CompressedName(e.Name()) == compressed {
				name := filepath.Join(dir, e.Name())
				rotated := checkpoint.RotatedName(name)
				l.byName[rotated] = append(l.byName[rotated], name)
			}
		}
	}
	t.listings[dir] = l
	return l
}

// takeCopy reads the rest of a stream from a file, if it holds the stream.
func (t *Tailer) takeCopy(s *checkpoint.Stream, path string, m *matcher, position int64, same sameLog) bool {
	r, err := logfile.Open(path)
	if err != nil {
		return false
	}
	start := make([]byte, schema.MaxHeadBytes)
	n, _ := io.ReadFull(r, start)
	lead := start[:n]
	if n > 0 && start[0] == 0 {
		lead = headOfPath(path)
	}
	ok := n > 0 && holdsAt(r, start[:n], position, func(_, before []byte) bool { return same(path, lead, before) })
	if !ok {
		r.Close() //nolint:errcheck // it was only read
		return false
	}
	r.Close() //nolint:errcheck // it was only read
	if logfile.CompressedName(path) {
		return t.readRest(s, path, position)
	}
	return t.readCopy(s, path, m, position)
}

// holdsAt compares what stands before position; r has been read up to the end of
// start.
func holdsAt(r io.Reader, start []byte, position int64, same func(start, before []byte) bool) bool {
	mark := min(position, markBytes)
	before := make([]byte, mark)
	if position <= int64(len(start)) {
		copy(before, start[position-mark:position])
		return same(start, before)
	}
	if _, seekable := r.(io.Seeker); seekable {
		if logfile.Skip(r, position-mark) != nil {
			return false
		}
		_, err := io.ReadFull(r, before)
		return err == nil && same(start, before)
	}
	// A decompressor goes on behind start.
	have := append([]byte(nil), start[max(0, len(start)-markBytes):]...)
	if skip := position - mark - int64(len(start)); skip >= 0 {
		if _, err := io.CopyN(io.Discard, r, skip); err != nil {
			return false
		}
		have = nil
	} else {
		have = have[len(have)+int(skip):]
	}
	rest := make([]byte, mark-int64(len(have)))
	if _, err := io.ReadFull(r, rest); err != nil {
		return false
	}
	return same(start, append(have, rest...))
}

// readCopy follows a plain copy from position as the stream's continuation.
func (t *Tailer) readCopy(s *checkpoint.Stream, path string, m *matcher, position int64) bool {
	fd, st, err := openRegular(path)
	if err != nil {
		return false
	}
	f := t.files[idOf(&st)]
	if f != nil && f.stream != nil && f.stream != s {
		unix.Close(fd)
		return false // a log of its own
	}
	if f == nil {
		f = &file{id: idOf(&st), source: m, fd: -1, wd: -1, last: path}
		t.files[f.id] = f
		if d := t.dirs[filepath.Dir(path)]; d != nil {
			t.named(f, d, filepath.Base(path))
		}
	}
	t.unwatchFile(f)
	t.closeFile(f)
	f.fd, f.size, f.active = fd, st.Size, t.now
	f.stream, f.copied, f.live = s, true, false
	t.held = slices.DeleteFunc(t.held, func(o *file) bool { return o == f })
	t.hot = append(t.hot, f)
	if !t.resume(f, position) {
		t.failed(f, errors.New(path+": it is shorter than what was read of it"))
		return false
	}
	t.met(f)
	if !slices.Contains(s.Files, f.id) {
		t.cfg.Checkpoint.AddFile(s, f.id)
	}
	return true
}

// findMissing looks for the logs that the checkpoint knows and no listing shows:
// renamed, copied or compressed while nobody looked, or deleted.
func (t *Tailer) findMissing() {
	for _, s := range t.cfg.Checkpoint.Streams() {
		if s.Host == t.cfg.Host && s.GoneUnix == 0 && t.fileOf(s) == nil {
			t.missing = append(t.missing, s)
		}
	}
	var later []*checkpoint.Stream
	for _, s := range t.missing {
		d := t.dirs[filepath.Dir(s.Path)]
		if d == nil {
			continue // no source names it any more
		}
		if !d.listed {
			later = append(later, s)
			continue
		}
		t.findStream(s, d)
	}
	t.missing = later
}

func (t *Tailer) findStream(s *checkpoint.Stream, d *directory) {
	if t.fileOf(s) != nil {
		return
	}
	m := d.match(filepath.Base(s.Path))
	if m == nil {
		m = d.matchers[0]
	}
	position := t.position(s)
	same := func(path string, start, _ []byte) bool {
		if !s.Begins(start) || !t.cfg.Checkpoint.HasTail(s) {
			return s.Begins(start)
		}
		holds, err := t.cfg.Checkpoint.Holds(s, func() (io.ReadCloser, error) { return logfile.Open(path) })
		return holds && err == nil
	}
	if t.search(s, s.Path, m, position, same) {
		return
	}
	lost := s.SeenBytes - position
	t.cfg.Checkpoint.Update(func() { s.GoneUnix = t.now.Unix() })
	if lost > 0 {
		t.lost(&file{stream: s, last: s.Path, read: position}, lost)
	}
}

// rest is what a compressed copy holds of a stream beyond a position.
type rest struct {
	stream *checkpoint.Stream
	lines  *logfile.LineReader
	close  func() error
	path   string
	at     time.Time // when it was found
}

// readRest has a compressed copy read from position as the stream's continuation.
func (t *Tailer) readRest(s *checkpoint.Stream, path string, position int64) bool {
	r, err := logfile.Open(path)
	if err != nil {
		return false
	}
	if err := logfile.Skip(r, position); err != nil {
		r.Close() //nolint:errcheck // it was only read
		return false
	}
	if l, err := logfile.Look(path); err == nil {
		t.cfg.Checkpoint.AddFile(s, l.ID)
	}
	t.cfg.Log.Info("the rest of a log is read from its compressed copy", "log", s.Path, "copy", path, "from", position)
	t.rests = append(t.rests, &rest{s, logfile.NewLineReader(r, position), r.Close, path, t.now})
	return true
}

// continueRests reads a batch from each compressed copy.
func (t *Tailer) continueRests(ctx context.Context) {
	t.rests = slices.DeleteFunc(t.rests, func(r *rest) bool {
		if t.gate != nil && t.gate.Allow(bufferBytes) <= 0 {
			return false
		}
		t.flush(ctx)
		if !t.room(ctx, bufferBytes) {
			return false
		}
		done, err := t.continueRest(r)
		if err != nil {
			t.counters.Failures.Add(1)
			t.cfg.Log.Error("a compressed log cannot be read to its end", "log", r.path, "error", err)
		}
		if done = done || err != nil; done {
			r.close() //nolint:errcheck // it was only read
			s := r.stream
			t.cfg.Checkpoint.Update(func() { s.GoneUnix = t.now.Unix() })
		}
		return done
	})
	t.flush(ctx)
}

func (t *Tailer) continueRest(r *rest) (done bool, err error) {
	d := t.current
	c, err := r.lines.Next(d.buffer)
	d.buffer = c.Data
	if len(c.Data) > 0 {
		d.Batches = append(d.Batches, Batch{r.stream, schema.Range{Start: c.Start, End: c.Start + int64(len(c.Data))}, c.Data, c.Lines})
		t.counters.Bytes.Add(int64(len(c.Data)))
		t.counters.Lines.Add(int64(c.Lines))
		if t.gate != nil {
			t.gate.Read(len(c.Data))
		}
	}
	if err == io.EOF {
		return true, nil
	}
	return false, err
}

// preadFull reads all of b.
func preadFull(fd int, b []byte, offset int64) (int, error) {
	for read := 0; read < len(b); {
		n, err := pread(fd, b[read:], offset+int64(read))
		read += n
		if err != nil {
			return read, err
		}
		if n == 0 {
			return read, io.EOF
		}
	}
	return len(b), nil
}
