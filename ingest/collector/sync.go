package collector

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"sluice/schema"
)

// syncsAtOnce is the number of files that are synced at the same time.
const syncsAtOnce = 8

// syncer makes segments durable. It is safe for concurrent use.
type syncer struct {
	life     *lifecycle
	streams  *streams
	spool    *spool
	requests chan struct{}
}

// sync waits until a range of a stream that was appended is on disk. Calls that wait at the same
// time share an fsync, because one for each segment makes everything durable that was appended
// before. The error wraps ErrBusy if the disk lost the range.
func (s *syncer) sync(ctx context.Context, st *streamState, r schema.Range) error {
	for {
		changed := s.life.changes()
		synced, lost := s.streams.survives(st, r)
		err := s.life.ended(nil)
		switch {
		case synced:
			return nil
		case err != nil:
			return err
		case lost:
			return fmt.Errorf("%w: the disk did not keep %v of %s", ErrBusy, r, st.tracked.ID)
		}
		select {
		case s.requests <- struct{}{}:
		default: // a request is pending
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// run syncs the open segments at each request until ctx ends.
func (s *syncer) run(ctx context.Context) error {
	for {
		select {
		case <-s.requests:
			s.syncOpen()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// syncOpen makes everything in the open segments durable that was appended before.
func (s *syncer) syncOpen() {
	open := s.spool.unsynced()
	if len(open) == 0 {
		// The range is in a segment that is being sealed or recovered, which wakes the waiting
		// calls.
		return
	}
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	for _, sp := range open {
		group.Go(func() error { s.syncOne(sp); return nil })
	}
	group.Wait() //nolint:errcheck // each handles its own
	s.life.announce()
}

// unsynced returns the open segments with spooled batches that may not survive a crash.
func (s *spool) unsynced() (open []*spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.open {
		sp.mu.Lock()
		if len(sp.fresh) > 0 {
			open = append(open, sp)
		}
		sp.mu.Unlock()
	}
	return open
}

func (s *syncer) syncOne(sp *spooled) {
	sp.use.RLock()
	defer sp.use.RUnlock()
	if sp.writer == nil {
		return // sealing has synced it and wakes the waiting calls
	}
	size := sp.writer.Size()
	if err := sp.writer.Sync(); err != nil {
		s.spool.rollBroken(sp)
		if err = s.life.spoolFailed(err); !s.life.retryFailures {
			s.life.fail(err)
		}
		return
	}
	s.streams.sync(sp.synced(size)) // no spooledBatch is dropped meanwhile, because that needs sp.use
}
