package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sluice/ingest/segment/vfs"
)

// ErrNotSegment is returned if the file does not begin like a segment, or was written by a
// later version. The file is not changed.
var ErrNotSegment = errors.New("not a segment that this version can read; move it away")

// ErrDamaged is returned if bytes that had reached the disk, and may have been acknowledged,
// differ from what was written. The file is not changed, so that a person or a repair
// can examine it; Reader still reads the intact members.
var ErrDamaged = errors.New("the segment is damaged")

// RecoverOptions says how much Recover looks at.
type RecoverOptions struct {
	// VerifyAll inflates every member. Without it only those are checked that no
	// member that is kept says were on disk: the rest was, and a crash cannot hurt it.
	VerifyAll bool
}

// Recovery is what Recover found.
type Recovery struct {
	// Members are the whole batches, in the order they were appended.
	Members []Member
	// Bytes is the file's length now.
	Bytes int64
	// CutBytes were cut off the end because of CutReason; 0 and nil when the last
	// member was whole.
	CutBytes  int64
	CutReason *FormatError
	// Removed: no member was whole, so the file is gone.
	Removed bool
}

// Recover makes an open segment, left by a crash or a failed write, whole: it
// cuts the torn tail and has all that is left on disk when it returns. What it
// keeps includes every batch whose Sync succeeded, and may include later ones, so
// positions are to be taken from Members. The file keeps its open name; Seal it
// next. Recover can itself be interrupted and run again.
//
// Errors: ErrNotSegment, ErrDamaged (both wrapped with place and reason, the file
// untouched), or what the file system says.
func Recover(fsys vfs.FS, openPath string, opts RecoverOptions) (Recovery, error) {
	rec, err := recoverFile(fsys, openPath, opts)
	if err != nil {
		return Recovery{}, fmt.Errorf("segment: recover %s: %w", openPath, err)
	}
	return rec, nil
}

func recoverFile(fsys vfs.FS, openPath string, opts RecoverOptions) (rec Recovery, err error) {
	if !strings.HasSuffix(openPath, OpenSuffix) {
		return rec, fmt.Errorf("the name of an open segment ends in %s, and a sealed one is never changed", OpenSuffix)
	}
	f, err := fsys.OpenFile(openPath, os.O_RDWR, 0)
	if err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return rec, err
	}
	s := scan{file: f, size: info.Size()}
	if err := s.headers(); err != nil {
		return rec, err
	}
	if err := s.checkMembers(opts.VerifyAll); err != nil {
		return rec, err
	}
	if err := s.checkTail(); err != nil {
		return rec, err
	}
	rec = Recovery{Members: s.members, Bytes: s.good(), CutBytes: s.size - s.good(), CutReason: s.torn}
	if len(s.members) == 0 {
		rec.Removed = true
		return rec, remove(fsys, openPath)
	}
	return rec, s.persist(fsys, filepath.Dir(openPath))
}

// scan is the state of one recovery.
type scan struct {
	file    vfs.File
	size    int64
	members []Member
	claims  []int64      // how much each member says was on disk when it was written
	synced  int64        // the most that any of them says
	torn    *FormatError // why the file is not good up to its end
}

// good is the length up to which all is whole.
func (s *scan) good() int64 {
	if len(s.members) == 0 {
		return 0
	}
	return s.members[len(s.members)-1].End()
}

// headers hops from member to member, as far as that goes.
func (s *scan) headers() error {
	r := NewReader(s.file, s.size)
	for {
		m, err := r.Next()
		if err == io.EOF || errors.As(err, &s.torn) {
			return nil
		}
		if err != nil {
			return err
		}
		s.members = append(s.members, m)
		s.claims = append(s.claims, r.synced)
		s.synced = max(s.synced, r.synced)
	}
}

// checkMembers inflates what a crash can have hurt; the first bad member of that
// is where the tail is torn. What was on disk is checked where asked for, and
// where the members that vouch for it are cut off: the next Recover, with nobody
// left to vouch, would take damage in it for a torn tail.
func (s *scan) checkMembers(all bool) error {
	r := NewReader(s.file, s.size)
	inDoubt := len(s.members)
	for inDoubt > 0 && s.members[inDoubt-1].Offset >= s.synced {
		inDoubt--
	}
	for i, m := range s.members[inDoubt:] {
		bad, err := check(r, m)
		if bad != nil {
			s.members, s.torn = s.members[:inDoubt+i], bad
			break
		}
		if err != nil {
			return err
		}
	}
	vouched := int64(0)
	for _, claim := range s.claims[:len(s.members)] {
		vouched = max(vouched, claim)
	}
	for _, m := range s.members[:inDoubt] {
		if !all && m.Offset < vouched {
			continue
		}
		bad, err := check(r, m)
		if bad != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, bad)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check inflates m: bad says what is wrong with it, err what is with the disk.
func check(r *Reader, m Member) (bad *FormatError, err error) {
	r.member = m
	if _, err = r.Data(); errors.As(err, &bad) {
		return bad, nil
	}
	return nil, err
}

// checkTail makes sure that what is to be cut is a torn tail and no more. A torn
// write leaves the beginning of a header, or zeros where the file system had made
// room; and no member after it can have been written in the belief that these
// bytes were on disk.
func (s *scan) checkTail() error {
	cut := s.good()
	if cut == s.size {
		return nil
	}
	if s.torn.Foreign {
		return fmt.Errorf("%w: %w", ErrNotSegment, s.torn)
	}
	if cut == 0 {
		head := make([]byte, min(s.size, int64(len(headerPrefix)-1)))
		if err := readFull(s.file, head, 0); err != nil {
			return err
		}
		zeros := len(bytes.Trim(head, "\x00")) == 0
		if len(head) > xlenAt { // these differ with the entry's length
			copy(head[xlenAt:], headerPrefix[xlenAt:xlenAt+2])
		}
		if !strings.HasPrefix(headerPrefix, string(head)) && !zeros {
			return fmt.Errorf("%w: %w", ErrNotSegment, s.torn)
		}
	}
	later, err := s.laterClaim(cut)
	if err != nil {
		return err
	}
	if later >= 0 {
		return fmt.Errorf("%w: %w, and the member at byte %d was written after these bytes were on disk", ErrDamaged, s.torn, later)
	}
	return nil
}

// laterClaim looks in the bytes after cut, whole members or not, for a header
// that says more than cut bytes were on disk. It returns its offset, or -1.
func (s *scan) laterClaim(cut int64) (int64, error) {
	return findHeader(s.file, cut, s.size, func(synced int64) bool { return synced > cut })
}

// persist cuts the file and makes the rest survive a crash. The members in doubt
// are written once more, in place: after a failed fsync Linux marks pages clean
// that never reached the disk, and another fsync would report success.
func (s *scan) persist(fsys vfs.FS, dir string) error {
	var raw []byte
	for _, m := range s.members {
		if m.Offset < s.synced {
			continue
		}
		raw = grow(raw, int(m.Bytes))
		if err := readFull(s.file, raw, m.Offset); err != nil {
			return err
		}
		if _, err := s.file.WriteAt(raw, m.Offset); err != nil {
			return err
		}
	}
	if s.good() < s.size {
		if err := s.file.Truncate(s.good()); err != nil {
			return err
		}
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}
