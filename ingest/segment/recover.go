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

// errNotSegment is returned if the file does not begin like a segment, or was written by a
// later version. The file is not changed.
var errNotSegment = errors.New("not a segment that this version can read; move it away")

// errDamaged is returned if bytes that had reached the disk, and may have been acknowledged,
// differ from what was written. The file is not changed, so that a person or a repair
// can examine it; Reader still reads the intact members.
var errDamaged = errors.New("the segment is damaged")

// RecoverOptions configures Recover.
type RecoverOptions struct {
	// VerifyAll inflates every member. Without it, members that a later member records as synced
	// are not inflated, because a crash cannot have damaged them.
	VerifyAll bool
}

// Recovery is the result of Recover.
type Recovery struct {
	// Members are the complete batches, in the order in which they were appended.
	Members []Member
	// Bytes is the file's length after the recovery.
	Bytes int64
	// CutBytes were truncated at the end because of CutReason; 0 and nil if the last member was
	// complete.
	CutBytes  int64
	CutReason *FormatError
	// Removed is true if no member was complete, so that the file was removed.
	Removed bool
}

// Recover repairs an open segment that a crash or a failed write left: it truncates the torn tail,
// and all that is left is on disk when it returns. This includes every batch whose Sync succeeded
// and may include later ones, so positions must be taken from Members. The file keeps its open
// name; call Seal next. Recover can be interrupted and run again.
//
// It returns errNotSegment or errDamaged, wrapped with offset and reason, if it did not change the
// file, or an error of the file system.
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
	claims  []int64      // the synced field of each member
	synced  int64        // the greatest of claims
	torn    *FormatError // why the file is not valid to its end
}

// good returns the length of the valid part.
func (s *scan) good() int64 {
	if len(s.members) == 0 {
		return 0
	}
	return s.members[len(s.members)-1].End()
}

// headers reads the headers of all members up to the first invalid one.
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

// checkMembers inflates the members that a crash can have damaged; the torn tail begins at the
// first bad one. Synced members are checked too if all is set, and if the members that record them
// as synced are truncated: otherwise damage in them would look like a torn tail to the next
// Recover.
func (s *scan) checkMembers(all bool) error {
	r := NewReader(s.file, s.size)
	firstUnsynced := len(s.members)
	for firstUnsynced > 0 && s.members[firstUnsynced-1].Offset >= s.synced {
		firstUnsynced--
	}
	for i, m := range s.members[firstUnsynced:] {
		bad, err := check(r, m)
		if bad != nil {
			s.members, s.torn = s.members[:firstUnsynced+i], bad
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
	for _, m := range s.members[:firstUnsynced] {
		if !all && m.Offset < vouched {
			continue
		}
		bad, err := check(r, m)
		if bad != nil {
			return fmt.Errorf("%w: %w", errDamaged, bad)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check inflates m. bad describes a damaged member; err is an error of the disk.
func check(r *Reader, m Member) (bad *FormatError, err error) {
	r.member = m
	if _, err = r.Data(); errors.As(err, &bad) {
		return bad, nil
	}
	return nil, err
}

// checkTail checks that the part to be truncated is only a torn tail. A torn write leaves the
// beginning of a header, or zeros if the file system had allocated space; and no member after it
// can have a synced field that includes these bytes.
func (s *scan) checkTail() error {
	cut := s.good()
	if cut == s.size {
		return nil
	}
	if s.torn.Foreign {
		return fmt.Errorf("%w: %w", errNotSegment, s.torn)
	}
	if cut == 0 {
		head := make([]byte, min(s.size, int64(len(headerPrefix)-1)))
		if err := readFull(s.file, head, 0); err != nil {
			return err
		}
		zeros := len(bytes.Trim(head, "\x00")) == 0
		if len(head) > xlenAt { // these bytes depend on the entry's length
			copy(head[xlenAt:], headerPrefix[xlenAt:xlenAt+2])
		}
		if !strings.HasPrefix(headerPrefix, string(head)) && !zeros {
			return fmt.Errorf("%w: %w", errNotSegment, s.torn)
		}
	}
	later, err := s.laterClaim(cut)
	if err != nil {
		return err
	}
	if later >= 0 {
		return fmt.Errorf("%w: %w, and the member at byte %d was written after these bytes were on disk", errDamaged, s.torn, later)
	}
	return nil
}

// laterClaim searches the bytes after cut for a header, of a complete member or not, that records
// more than cut bytes as synced. It returns its offset, or -1.
func (s *scan) laterClaim(cut int64) (int64, error) {
	return findHeader(s.file, cut, s.size, func(synced int64) bool { return synced > cut })
}

// persist truncates the file and makes the rest durable. Members that may not be on disk are
// written again in place: after a failed fsync Linux marks pages clean that never reached the disk,
// and another fsync would report success.
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
