package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// A hole is what of a stream was not received though what comes behind it was. Batches
// that would make one are refused, unless their sender has what is before stored
// elsewhere: then the hole is a gap, which the checkpoint remembers. Lines that come for
// a gap are taken like any others.

// ErrHole is a batch behind lines that were not received. ErrAhead is one behind lines
// that were offered and not taken: it can be offered again, after those.
var (
	ErrHole  = errors.New("lines before it were never sent")
	ErrAhead = fmt.Errorf("%w: lines before it were not taken", ErrBusy)
)

const (
	// maxGaps bounds the gaps of one stream: one for each time that its host was at
	// another collector and its log was not finished there.
	maxGaps = 8
	// holeAfter a segment is stored and lines before it have not come, these are not
	// waited for any more: a failing disk's senders offer them again within seconds.
	holeAfter = 10 * time.Minute
)

// Receive is Append for a batch of a sender that claims to have everything before
// claimed stored, and has offered everything before offered.
func (c *Collector) Receive(ctx context.Context, t *checkpoint.Stream, b schema.Batch, claimed, offered int64) error {
	st := c.stream(t)
	st.taking.Lock()
	defer st.taking.Unlock()
	if err := c.checkHole(st, b.Range.Start, claimed, offered); err != nil {
		return err
	}
	return c.append(ctx, st, b)
}

// checkHole refuses a batch that would make a hole, and notes the gap where the sender
// may leave one.
func (c *Collector) checkHole(st *streamState, start, claimed, offered int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to := st.received.ReachFrom(claimed); start > to {
		if start <= max(offered, claimed) {
			return fmt.Errorf("%w: up to byte %d is received, the batch begins at %d", ErrAhead, to, start)
		}
		return fmt.Errorf("%w: up to byte %d is received, the batch begins at %d", ErrHole, to, start)
	}
	gaps := slices.Clone(st.gaps)
	for _, r := range st.received.Missing(schema.Range{End: start}) {
		gaps.Add(r)
	}
	if len(gaps) > maxGaps {
		return fmt.Errorf("%w: it has %d gaps already", ErrHole, len(st.gaps))
	}
	st.gaps = gaps
	return nil
}

// missing are the gaps before what is stored, for the checkpoint. Collector.mu is held.
func (st *streamState) missing() []schema.Range {
	if st.tracked.Sparse {
		return nil
	}
	end := st.stored.PrefixOver(st.gaps)
	var missing []schema.Range
	for _, gap := range st.gaps {
		if gap.End <= end {
			missing = append(missing, gap)
		}
	}
	return missing
}

// giveUpHoles makes gaps of what stored segments have waited for in vain, so that they
// do not stay in the spool for ever. The checkpoint says so before their files go.
func (s *storer) giveUpHoles(ctx context.Context) error {
	s.mu.Lock()
	found := false
	for _, sp := range s.spool.held {
		if !sp.stored || s.cfg.Now().Sub(sp.storedAt) < holeAfter {
			continue
		}
		for _, p := range sp.pieces {
			found = s.giveUpBefore(p) || found
		}
	}
	s.mu.Unlock()
	if !found {
		return nil
	}
	return s.attempt(ctx, "checkpoint", s.cfg.Checkpoint.Save)
}

// giveUpBefore makes a gap of what was never received before a stored piece. Collector.mu
// is held.
func (c *Collector) giveUpBefore(p *piece) bool {
	st := p.stream
	if st.tracked.Sparse || p.End <= c.cfg.Checkpoint.Stored(st.tracked) {
		return false
	}
	gaps := slices.Clone(st.gaps)
	for _, r := range st.stored.Missing(schema.Range{End: p.Start}) {
		if len(st.received.Missing(r)) > 0 { // what is received is on its way
			gaps.Add(r)
		}
	}
	if len(gaps) > maxGaps {
		return false
	}
	st.gaps = gaps
	c.cfg.Log.Warn("lines were never received, no longer waiting for them", "host", st.tracked.Host, "stream", st.tracked.ID, "path", st.tracked.Path, "before", p.Start)
	c.cfg.Checkpoint.Update(func() {
		e := st.advanced(st.tracked.StreamEntry)
		t := &st.tracked.StreamEntry
		t.First, t.Last, t.Stored, t.Lines, t.ParseErrors = e.First, e.Last, e.Stored, e.Lines, e.ParseErrors
		st.tracked.Missing = st.missing()
	})
	return true
}
