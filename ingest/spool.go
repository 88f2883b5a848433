package ingest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// piece is one member of a segment: a range of a stream, and what its lines were.
type piece struct {
	stream schema.StreamID
	schema.Range
	lines, errors int64
}

// spooled is a segment on our own disk, from its first member until it is in
// the archive and the checkpoint says so.
type spooled struct {
	name   segment.Name
	writer *segment.Writer // nil once sealed
	path   string          // of the sealed file
	stored bool            // it is in the archive
	pieces []piece
	ticks  age
}

// age is when a segment was first and last seen to grow, as ticks tell: it needs
// no clock of its own.
type age struct {
	bytes         int64
	opened, grown time.Time
}

// spool is the folder of segments.
type spool struct {
	fsys vfs.FS
	dir  string
	open map[string]*spooled // by host and period
	held []*spooled          // sealed, not forgotten
}

// append writes the batch into the open segment of its host and period.
func (s *spool) append(enc *segment.Encoder, b schema.Batch, period string, seq func() uint64) (*spooled, error) {
	key := b.Stream.Host + "/" + period
	sp := s.open[key]
	if sp == nil {
		sp = &spooled{name: segment.Name{Host: b.Stream.Host, Period: period, Seq: seq()}}
		w, err := segment.Create(s.fsys, filepath.Join(s.dir, filepath.FromSlash(sp.name.String())))
		if err != nil {
			return nil, err
		}
		sp.writer = w
		s.open[key] = sp
	}
	if _, err := sp.writer.Append(enc, b); err != nil {
		return nil, err
	}
	return sp, nil
}

// seal closes the open segments that are at least minBytes long.
func (s *spool) seal(minBytes int64) error {
	return s.sealIf(func(sp *spooled) bool { return sp.writer.Size() >= minBytes })
}

// sealOld closes the open segments whose first line came interval ago, or whose
// last one came idle ago; 0 is never.
func (s *spool) sealOld(now time.Time, interval, idle time.Duration) error {
	return s.sealIf(func(sp *spooled) bool {
		a := &sp.ticks
		if a.opened.IsZero() {
			a.opened = now
		}
		if size := sp.writer.Size(); size != a.bytes {
			a.bytes, a.grown = size, now
		}
		return interval > 0 && now.Sub(a.opened) >= interval || idle > 0 && now.Sub(a.grown) >= idle
	})
}

func (s *spool) sealIf(due func(*spooled) bool) error {
	for key, sp := range s.open {
		if !due(sp) {
			continue
		}
		path, err := sp.writer.Seal()
		if err != nil {
			return err
		}
		delete(s.open, key)
		sp.writer, sp.path = nil, path
		if path != "" {
			s.held = append(s.held, sp)
		}
	}
	return nil
}

// close lets go of the files of segments that a failure left open; the next
// start recovers them.
func (s *spool) close() error {
	var errs []error
	for key, sp := range s.open {
		errs = append(errs, sp.writer.Close())
		delete(s.open, key)
	}
	return errors.Join(errs...)
}

// forget removes the files of segments for which done says that the checkpoint
// has all they hold.
func (s *spool) forget(done func(*spooled) bool) error {
	kept := s.held[:0]
	var errs []error
	for _, sp := range s.held {
		if !sp.stored || !done(sp) {
			kept = append(kept, sp)
			continue
		}
		if err := s.fsys.Remove(sp.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	clear(s.held[len(kept):])
	s.held = kept
	return errors.Join(errs...)
}

// recover finds the segments of an earlier life, makes them whole and seals
// them. each is called for every member with its lines; it is for writing the
// rows again.
func (s *spool) recover(each func(sp *spooled, m segment.Member, data []byte) error) (cut int64, err error) {
	hosts, err := s.fsys.ReadDir(s.dir)
	if err != nil {
		return 0, err
	}
	for _, host := range hosts {
		names, err := s.fsys.ReadDir(filepath.Join(s.dir, host))
		if err != nil {
			return cut, err
		}
		for _, name := range names {
			n, err := s.takeUp(host+"/"+name, each)
			cut += n
			if err != nil {
				return cut, err
			}
		}
	}
	return cut, nil
}

// takeUp makes one segment of an earlier life whole and seals it.
func (s *spool) takeUp(file string, each func(*spooled, segment.Member, []byte) error) (cut int64, err error) {
	path := filepath.Join(s.dir, filepath.FromSlash(file))
	name, open, err := segment.ParseName(file)
	if err != nil {
		return 0, fmt.Errorf("%s is not a segment; move it out of the spool: %w", path, err)
	}
	if open {
		found, err := segment.Recover(s.fsys, path, segment.RecoverOptions{})
		if err != nil || found.Removed {
			return found.CutBytes, err
		}
		cut = found.CutBytes
		if path, err = segment.Seal(s.fsys, path); err != nil {
			return cut, err
		}
	}
	sp := &spooled{name: name, path: path}
	s.held = append(s.held, sp)
	return cut, s.replay(sp, each)
}

func (s *spool) replay(sp *spooled, each func(*spooled, segment.Member, []byte) error) (err error) {
	f, err := s.fsys.OpenFile(sp.path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r := segment.NewReader(f, info.Size())
	for {
		m, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", sp.path, err)
		}
		data, err := r.Data()
		if err != nil {
			return fmt.Errorf("%s: %w", sp.path, err)
		}
		if err := each(sp, m, data); err != nil {
			return err
		}
	}
}
