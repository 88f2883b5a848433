package collector

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/schema"
)

// A hole is a range of a stream that was not received although lines after it were. A batch that
// would leave a hole is rejected, unless its sender has the range before it stored elsewhere. Then
// the hole becomes a gap, which is recorded in the checkpoint. Lines that arrive for a gap are
// stored like any others.

// ErrHole reports a batch after lines that were never offered. errAhead reports a batch after lines
// that were offered and not accepted: it can be offered again, after those lines.
var (
	ErrHole  = errors.New("lines before it were never sent")
	errAhead = fmt.Errorf("%w: lines before it were not accepted", ErrBusy)
)

const (
	// maxGaps is the limit of the gaps of one stream. A gap remains each time that its host sent to
	// another collector and its log was not finished there.
	maxGaps = 8
	// holeAfter is the time after which a stored segment no longer waits for lines before it that
	// have not arrived. The senders of a collector whose disk fails offer them again within
	// seconds.
	holeAfter = 10 * time.Minute
)

// checkHole returns an error if a batch at start would leave a hole. A gap that the sender may
// leave is recorded in st. The sender has everything before claimed stored, and has offered
// everything before offered.
func (s *streams) checkHole(st *streamState, start, claimed, offered int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to := st.received.ReachFrom(claimed); start > to {
		if start <= max(offered, claimed) {
			return fmt.Errorf("%w: up to byte %d is received, the batch begins at %d", errAhead, to, start)
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

// missing returns the gaps before the stored position, for the checkpoint. streams.mu must be held.
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

// giveUpBefore turns the ranges before a stored spooled batch that were never received into gaps,
// and reports whether it did. It does nothing if the stream would have more than maxGaps.
func (s *streams) giveUpBefore(p *spooledBatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := p.stream
	if st.tracked.Sparse || p.End <= s.checkpoint.Stored(st.tracked) {
		return false
	}
	gaps := slices.Clone(st.gaps)
	for _, r := range st.stored.Missing(schema.Range{End: p.Start}) {
		if len(st.received.Missing(r)) > 0 { // a range that was received will be stored
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
