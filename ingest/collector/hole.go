package collector

import (
	"errors"
	"fmt"
	"slices"
	"time"

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

// checkHole refuses a batch that would make a hole, and notes the gap where the sender
// may leave one.
func (s *streams) checkHole(st *streamState, start, claimed, offered int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
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

// missing are the gaps before what is stored, for the checkpoint. streams.mu is held.
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

// giveUpBefore makes a gap of what was never received before a stored piece, and reports whether
// there was such a gap.
func (s *streams) giveUpBefore(p *piece) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := p.stream
	if st.tracked.Sparse || p.End <= s.checkpoint.Stored(st.tracked) {
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
	s.checkpoint.Update(func() { st.advance() })
	return true
}
