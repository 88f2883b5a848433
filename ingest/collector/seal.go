package collector

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"sluice/ingest/segment"
	"sluice/schema"
)

// sealer seals segments. After a failed write or sync it recovers them from disk. It is safe for
// concurrent use.
type sealer struct {
	cfg   *Config
	spool *spool
}

// seal seals the segment, which gives its file the final name. A segment after a failed write or
// sync is recovered first. It does nothing if the segment is sealed already.
func (s *sealer) seal(sp *spooled) error {
	sp.use.Lock()
	defer sp.use.Unlock()
	if sp.writer == nil {
		return nil
	}
	if !sp.isBroken() {
		sealed, err := sp.writer.Seal()
		if err == nil {
			s.spool.sealed(sp, sealed)
			return nil
		}
		sp.set(func() { sp.broken = true })
		if !s.cfg.RetryFailures {
			return err
		}
		s.cfg.Log.Warn("segment seal failed, recovering the segment", "segment", sp.name, "err", err)
	}
	if err := sp.writer.Close(); err != nil { // Recover reads what is on disk
		s.cfg.Log.Warn("cannot close a failed segment, recovering it from disk", "segment", sp.name, "err", err)
	}
	return s.repair(sp)
}

// repair recovers a segment after a failed write or sync, and seals it. Spooled batches that are
// not on disk are removed, as if they had not been received.
func (s *sealer) repair(sp *spooled) error {
	open := sp.writer.Path()
	sealed := strings.TrimSuffix(open, segment.OpenSuffix)
	if _, err := s.cfg.FS.Stat(sealed); err == nil { // it was renamed: only the sync of the directory failed
		if err := s.cfg.FS.SyncDir(filepath.Dir(sealed)); err != nil {
			return err
		}
		s.spool.sealed(sp, sealed)
		return nil
	}
	found, err := segment.Recover(s.cfg.FS, open, segment.RecoverOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		err, found.Removed = nil, true
	}
	if err != nil {
		return err
	}
	s.spool.keepOnly(sp, found.Members)
	if found.Removed {
		s.spool.sealed(sp, "")
		return nil
	}
	if sealed, err = segment.Seal(s.cfg.FS, open); err != nil {
		return err
	}
	s.spool.sealed(sp, sealed)
	return nil
}

// keepOnly removes the spooled batches of a segment that are not among the members.
func (s *spool) keepOnly(sp *spooled, members []segment.Member) {
	whole := map[place]bool{}
	for _, m := range members {
		whole[place{m.Stream, m.Range}] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dropped := sp.drop(func(p *spooledBatch) bool { return whole[place{p.stream.tracked.ID, p.Range}] })
	for _, p := range dropped {
		s.quota.grow(sp.name.Host, -p.member.Bytes, -1)
	}
	s.streams.lose(dropped)
	s.dropped += len(dropped)
}

// sealed records that the segment is sealed under the name path. "": it had no whole batch, and
// there is no file.
func (s *spool) sealed(sp *spooled, path string) {
	s.mu.Lock()
	s.writers--
	sp.set(func() {
		sp.writer, sp.path, sp.sealedAt, sp.fresh = nil, path, s.cfg.Now(), nil
		s.streams.sync(sp.batches)
	})
	s.mu.Unlock()
	s.life.announce()
}

// place identifies a spooled batch by its stream and range.
type place struct {
	stream schema.StreamID
	schema.Range
}
