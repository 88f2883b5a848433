package collector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"sluice/ingest/segment"
	"sluice/schema"
)

// commit makes segments stored that are in the archive, in the table and in Columns. The
// order is the guarantee: the archive has the file, Columns has the Parquet file and rows
// are durable, then the checkpoint says so, and only then the local file goes. A crash between any two
// repeats steps that change nothing when repeated.
func (s *storer) commit(ctx context.Context) error {
	ready := s.ready()
	if len(ready) == 0 {
		return nil
	}
	if err := s.flushTable(ctx); err != nil {
		return err
	}
	entries := s.advance(ready)
	// The streams' own rows too, or a crash would leave old ones behind for good.
	if err := s.putEntries(ctx, entries); err != nil {
		return err
	}
	if err := s.flushTable(ctx); err != nil {
		return err
	}
	if err := s.attempt(ctx, "checkpoint", s.cfg.Checkpoint.Save); err != nil {
		return err
	}
	s.mu.Lock()
	for _, sp := range ready {
		sp.stored, sp.storedAt = true, s.cfg.Now()
	}
	s.forgetting = true
	s.mu.Unlock()
	return s.forget(ctx)
}

// ready are the segments that the archive and Columns have and whose rows were put.
func (s *storer) ready() (ready []*spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.spool.held {
		if sp.archived && !sp.stored && sp.untabled == 0 && (sp.columned || s.cfg.Columns == nil) {
			ready = append(ready, sp)
		}
	}
	return ready
}

// advance moves stored over what the segments hold, and returns the entries of
// their streams as they are then.
func (s *storer) advance(ready []*spooled) (entries []schema.StreamEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	touched := map[*streamState]bool{}
	for _, sp := range ready {
		for _, p := range sp.pieces {
			p.stream.stored.Add(p.Range)
			p.stream.gaps.Remove(p.Range)
			p.stream.pieces = append(p.stream.pieces, p)
			touched[p.stream] = true
		}
	}
	s.cfg.Checkpoint.Update(func() {
		for st := range touched {
			e := st.advanced(st.tracked.StreamEntry)
			t := &st.tracked.StreamEntry // who it is may be read meanwhile, and stays
			t.First, t.Last, t.Stored, t.Lines, t.ParseErrors = e.First, e.Last, e.Stored, e.Lines, e.ParseErrors
			st.tracked.Missing = st.missing()
			entries = append(entries, e)
		}
	})
	return entries
}

// forget removes the files of segments that the checkpoint has all of, or marks those that are
// kept for a while.
func (s *storer) forget(ctx context.Context) error {
	s.mu.Lock()
	var done, kept []*spooled
	for _, sp := range s.spool.held {
		switch {
		case !sp.stored || !s.covered(sp):
		case s.cfg.Now().Sub(sp.storedAt) >= s.keeps(sp):
			done = append(done, sp)
		case !strings.HasSuffix(sp.path, segment.StoredSuffix):
			kept = append(kept, sp)
		}
	}
	s.mu.Unlock()
	for _, sp := range kept {
		if err := s.attempt(ctx, "spool", func() error { return s.markStored(sp) }); err != nil {
			return fmt.Errorf("spool: mark what is stored: %w", err)
		}
	}
	for _, sp := range done {
		err := s.attempt(ctx, "spool", func() error { return s.spool.remove(sp.path) })
		if err != nil {
			return fmt.Errorf("spool: remove what is stored: %w", err)
		}
		s.mu.Lock()
		s.spool.drop(sp)
		sp.forgetSparse()
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetting = false
	s.announce()
	return nil
}

// markStored gives a segment's file the name of one that is stored, so that the next start does
// not archive it again and a repair of the archive need not wait for it.
func (s *storer) markStored(sp *spooled) error {
	sp.use.Lock() // nobody is about to open it
	defer sp.use.Unlock()
	path := sp.path + segment.StoredSuffix
	if err := s.cfg.FS.Rename(sp.path, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.mu.Lock()
	sp.path = path
	s.mu.Unlock()
	return nil
}

// covered: what is before the segment's pieces is stored too. s.mu is held.
func (s *storer) covered(sp *spooled) bool {
	for _, p := range sp.pieces {
		if p.End > s.cfg.Checkpoint.Stored(p.stream.tracked) {
			return false
		}
	}
	return true
}
