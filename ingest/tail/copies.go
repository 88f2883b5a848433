package tail

import (
	"bytes"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// logrotate's copytruncate copies a log and cuts it; what was appended between
// our last look and the cut is in the copy alone. A file that begins as a log does
// may be such a copy, or another virtual host's log of the same lines: content,
// names and the times when the files were made tell, and where they do not, the
// file is read as a log of its own: a double is the lesser evil.

const (
	// holdFor is how long a file is held back that may turn out to be a copy: the log
	// is truncated as soon as the copy is complete.
	holdFor = 15 * time.Second
	// copyingBytes is how far behind the log a copy in the making is, at least.
	copyingBytes = 64 << 10
	// laterNs: a file that was made so much later than the log, and holds the same
	// lines, is a copy of it. Another log of the same lines was made when they were written.
	laterNs = 2e9
	// compareBytes of a copy's end are looked for in the log.
	compareBytes = 4096
)

// holdBack reports whether a file that is new to us is not to be read as a log of
// its own for now: it may be a copy of a log that is there. It does not report one
// that continues a log that is gone: that has a stream then.
func (t *Tailer) holdBack(f *file, start []byte) bool {
	for _, s := range t.cfg.Checkpoint.Like(t.cfg.Host, f.path(), start) {
		original := t.fileOf(s)
		if original == f {
			continue
		}
		if original == nil {
			if t.adopt(f, s) {
				t.release(f)
				return false // it has a stream now; begin is not to be called
			}
			continue
		}
		if t.holdAsCopy(f, original) {
			return true
		}
	}
	t.release(f)
	return false
}

// release ends a file's being held back.
func (t *Tailer) release(f *file) {
	f.heldSince, f.copyOf = time.Time{}, nil
	t.held = slices.DeleteFunc(t.held, func(o *file) bool { return o == f })
}

// holdAsCopy holds a file back if it may be a copy of a log that is there. After
// holdFor it is either known to be one, and closed until it is written, or taken for a
// log of its own.
func (t *Tailer) holdAsCopy(f, original *file) bool {
	s := original.stream
	like := t.likenessOf(f, original)
	rotated := checkpoint.KinshipOf(f.path(), s.Path) >= checkpoint.RotatedElsewhere
	// Of a log that was made and copied between two looks the copy may be read first.
	copied := checkpoint.KinshipOf(s.Path, f.path()) >= checkpoint.RotatedElsewhere
	if like == otherContent || !rotated && !copied && !s.BornBefore(f.bornNs, laterNs) {
		return false
	}
	deleted := f.deleted()
	if !slices.Contains(t.held, f) {
		t.held = append(t.held, f)
		f.heldSince = t.now
		t.cfg.Log.Info("log held back, it may be a copy of another log", "path", f.path(), "original", original.path())
	} else if size, err := fileSize(f.fd); err == nil && size > f.size {
		if f.size = size; size+copyingBytes < original.size {
			f.heldSince = t.now // it is being copied
		}
	}
	f.growth.note(f.size, t.now.Sub(t.began))
	switch {
	case like == sameContent && deleted, t.now.Sub(f.heldSince) >= holdFor:
		if like == sameContent && rotated && f.bornNs != 0 && s.BornNs() != 0 && f.bornNs-s.BornNs() >= laterNs {
			t.isCopy(f, s)
			return true
		}
		return false
	}
	return true
}

// isCopy notes that a file is a copy of a log that is there: it is not read unless it
// is written.
func (t *Tailer) isCopy(f *file, s *checkpoint.Stream) {
	t.release(f)
	if f.deleted() {
		t.drop(f)
		return
	}
	t.cfg.Log.Info("log is a copy of another log, not read", "path", f.path(), "original", s.Path)
	f.copyOf, f.read, f.part, f.growth = s, f.size, false, nil
	t.cool(f)
}

// deleted reports whether a file is open, and has no name any more.
func (f *file) deleted() bool {
	var st unix.Stat_t
	return len(f.places) == 0 && f.fd >= 0 && unix.Fstat(f.fd, &st) == nil && st.Nlink == 0
}

// adopt makes a file the continuation of a stream whose own file is gone.
func (t *Tailer) adopt(f *file, s *checkpoint.Stream) bool {
	if !t.cfg.Checkpoint.MayHold(s, f.path(), f.bornNs) {
		return false
	}
	if s.GoneUnix != 0 && !slices.Contains(t.missing, s) { // it was read to its end
		if t.position(s) == 0 || !s.BornBefore(f.bornNs, bornApartNs) {
			return false
		}
	}
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
	t.cfg.Checkpoint.AddFile(s, f.path(), f.id, f.bornNs)
	f.stream, f.copied, f.live = s, true, false
	t.missing = slices.DeleteFunc(t.missing, func(o *checkpoint.Stream) bool { return o == s })
	return true
}

// bornApartNs: a file that continues a finished log was made at least so long after it.
const bornApartNs = 100e6

// fileOf returns the file that a stream is being read from.
func (t *Tailer) fileOf(s *checkpoint.Stream) *file {
	for _, id := range s.Files {
		if f := t.files[id]; f != nil && f.stream == s {
			return f
		}
	}
	return nil
}

// likeness is how a file's content compares with that of a log that begins alike.
type likeness uint8

const (
	unknownContent likeness = iota // the log cannot be read, or was truncated: its next look tells
	sameContent                    // the file is the log, or its beginning
	otherContent
)

// likenessOf compares the beginning and the end of a file with those places of a log.
func (t *Tailer) likenessOf(copied, original *file) likeness {
	fd := original.fd
	if fd < 0 {
		opened, st, err := openRegular(original.path())
		if err != nil {
			return unknownContent
		}
		defer unix.Close(opened)
		if idOf(&st) != original.id {
			return unknownContent
		}
		fd = opened
	}
	size, err := fileSize(copied.fd)
	if err != nil {
		return unknownContent
	}
	if t.sameAt(copied.fd, fd, 0, min(size, minRead)) && t.sameAt(copied.fd, fd, size-min(size, compareBytes), size) {
		return sameContent
	}
	// Looked at last: the log may have been truncated a moment ago, between its copy
	// and our look at it.
	mark := make([]byte, original.markSize())
	if _, err := preadFull(fd, mark, original.read-int64(len(mark))); err != nil || t.markOf(mark) != original.mark {
		return unknownContent
	}
	head := make([]byte, schema.MaxHeadBytes)
	k, err := pread(fd, head, original.hole)
	if err != nil || !original.stream.Begins(head[:k]) || original.hole > 0 && !stillHole(fd, original.hole) {
		return unknownContent
	}
	return otherContent
}

// sameAt reports whether two open files have the same bytes [start, end).
func (t *Tailer) sameAt(a, b int, start, end int64) bool {
	x, y := make([]byte, end-start), make([]byte, end-start)
	if _, err := preadFull(a, x, start); err != nil {
		return false
	}
	_, err := preadFull(b, y, start)
	return err == nil && bytes.Equal(x, y)
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
