package tail

import (
	"bytes"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// logrotate's copytruncate copies a log and truncates it. Lines that were appended between the last
// look and the truncation are only in the copy. A file that begins like a log may be such a copy,
// or another virtual host's log with equal lines. Content, names and birth times decide. If they do
// not, the file is read as a log of its own, because a line that is stored twice is the smaller
// damage.

const (
	// holdFor is how long a file is held back that may be a copy. The log is truncated as soon as
	// the copy is complete.
	holdFor = 15 * time.Second
	// copyingBytes is the least distance by which a copy in progress is behind the log.
	copyingBytes = 64 << 10
	// laterNs: a file with the same lines that was created so much later than the log is a copy of
	// it. Another log with the same lines was created when they were written.
	laterNs = 2e9
	// compareBytes is how many bytes of a copy's end are searched for in the log.
	compareBytes = 4096
)

// holdBack reports whether an unknown file must not be read as a log of its own for now, because it
// may be a copy of an existing log. If the file continues a log whose file is gone, it returns
// false and the file has that log's stream.
func (id *identifier) holdBack(f *file, start []byte) bool {
	for _, s := range id.cfg.Checkpoint.Logs.Like(id.cfg.Host, f.path(), start) {
		original := id.set.fileOf(s)
		if original == f {
			continue
		}
		if original == nil {
			if id.adopt(f, s) {
				id.set.release(f)
				return false // it has a stream, so begin is not called
			}
			continue
		}
		if id.holdAsCopy(f, original) {
			return true
		}
	}
	id.set.release(f)
	return false
}

// holdAsCopy holds a file back if it may be a copy of an existing log. After holdFor it is either
// known to be one, and closed until it is written, or treated as a log of its own.
func (id *identifier) holdAsCopy(f, original *file) bool {
	s := original.stream
	like := id.likenessOf(f, original)
	rotated := checkpoint.KinshipOf(f.path(), s.Path) >= checkpoint.RotatedElsewhere
	// If a log was created and copied between two looks, the copy may be read first.
	copied := checkpoint.KinshipOf(s.Path, f.path()) >= checkpoint.RotatedElsewhere
	if like == otherContent || !rotated && !copied && !s.BornBefore(f.bornNs, laterNs) {
		return false
	}
	deleted := f.deleted()
	if f.state != stateHeld {
		id.set.to(f, stateHeld)
	}
	if f.heldSince.IsZero() {
		f.heldSince = id.now
		id.cfg.Log.Info("log held back, it may be a copy of another log", "path", f.path(), "original", original.path())
	} else if size, err := fileSize(f.fd); err == nil && size > f.size {
		if f.size = size; size+copyingBytes < original.size {
			f.heldSince = id.now // the copy is still in progress
		}
	}
	f.growth.note(f.size, id.now.Sub(id.began))
	switch {
	case like == sameContent && deleted, id.now.Sub(f.heldSince) >= holdFor:
		if like == sameContent && rotated && f.bornNs != 0 && s.BornNs() != 0 && f.bornNs-s.BornNs() >= laterNs {
			id.isCopy(f, s)
			return true
		}
		return false
	}
	return true
}

// isCopy records that a file is a copy of an existing log. It is not read unless it is written.
func (id *identifier) isCopy(f *file, s *checkpoint.Stream) {
	id.set.release(f)
	if f.deleted() {
		id.set.drop(f)
		return
	}
	id.cfg.Log.Info("log is a copy of another log, not read", "path", f.path(), "original", s.Path)
	f.copyOf, f.read, f.part, f.growth = s, f.size, false, nil
	id.cooler.cool(f)
}

// deleted reports whether a file is open and has no name any more.
func (f *file) deleted() bool {
	var st unix.Stat_t
	return len(f.places) == 0 && f.fd >= 0 && unix.Fstat(f.fd, &st) == nil && st.Nlink == 0
}

// adopt makes a file the continuation of a stream whose own file is gone. It reports whether the
// file can be one.
func (id *identifier) adopt(f *file, s *checkpoint.Stream) bool {
	if !id.cfg.Checkpoint.Logs.MayHold(s, f.path(), f.bornNs) {
		return false
	}
	if s.GoneUnix != 0 && !slices.Contains(id.streams.missing, s) { // it was read to its end
		if id.streams.position(s) == 0 || !s.BornBefore(f.bornNs, bornApartNs) {
			return false
		}
	}
	if !id.cfg.Checkpoint.Fingerprints.HasTail(s) && id.streams.position(s) > 0 {
		return false
	}
	// If nothing was read of the stream, only its beginning can be compared, and all of this file
	// is read.
	if same, err := id.cfg.Checkpoint.Fingerprints.Holds(s, contentOf(f)); id.cfg.Checkpoint.Fingerprints.HasTail(s) && (err != nil || !same) {
		return false
	}
	if !id.resume(f, id.streams.position(s)) {
		return false
	}
	id.cfg.Checkpoint.Logs.AddFile(s, f.path(), f.id, f.bornNs)
	f.stream, f.copied, f.live = s, true, false
	id.streams.missing = slices.DeleteFunc(id.streams.missing, func(o *checkpoint.Stream) bool { return o == s })
	return true
}

// bornApartNs is how much later a file must have been created than the finished log that it
// continues.
const bornApartNs = 100e6

// likeness is the result of comparing a file's content with that of a log that begins alike.
type likeness uint8

const (
	unknownContent likeness = iota // the log cannot be read or was truncated; its next look decides
	sameContent                    // the file is equal to the log or to its beginning
	otherContent
)

// likenessOf compares the beginning and the end of a file with the log's bytes at the same offsets.
func (id *identifier) likenessOf(copied, original *file) likeness {
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
	if id.sameAt(copied.fd, fd, 0, min(size, minRead)) && id.sameAt(copied.fd, fd, size-min(size, compareBytes), size) {
		return sameContent
	}
	// The mark is compared last, because the log may have been truncated between its copying and
	// this comparison.
	mark := make([]byte, original.markSize())
	if _, err := preadFull(fd, mark, original.read-int64(len(mark))); err != nil || id.contents.markOf(mark) != original.mark {
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
func (id *identifier) sameAt(a, b int, start, end int64) bool {
	x, y := make([]byte, end-start), make([]byte, end-start)
	if _, err := preadFull(a, x, start); err != nil {
		return false
	}
	_, err := preadFull(b, y, start)
	return err == nil && bytes.Equal(x, y)
}
