package collector

import (
	"sync"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// streams holds the streams for which batches are received, and the positions up to which each is
// received, synced and stored. It is safe for concurrent use.
type streams struct {
	checkpoint *checkpoint.File
	arrivals   *arrivalCounts

	mu   sync.Mutex // guards the map and the positions of each stream
	byID map[schema.StreamID]*streamState
}

func newStreams(cp *checkpoint.File) *streams {
	return &streams{checkpoint: cp, arrivals: newArrivalCounts(), byID: map[schema.StreamID]*streamState{}}
}

// of returns the state of a stream, which is created by the first call.
func (s *streams) of(t *checkpoint.Stream) *streamState {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.present(t)
	if st == nil {
		st = s.newState(t)
		st.arrivals = s.arrivals.of(t.Host)
		s.byID[t.ID] = st
	}
	return st
}

// present returns the state of a stream, or nil. If the checkpoint forgot the stream and it was
// declared again, the state of the forgotten one does not count, because it would advance a
// position that is not saved any more. s.mu must be held.
func (s *streams) present(t *checkpoint.Stream) *streamState {
	st := s.byID[t.ID]
	if st != nil && st.tracked != t && st.held == 0 && s.checkpoint.Stream(t.ID) == t {
		return nil
	}
	return st
}

// newState returns the initial state of a stream, made from its entry in the checkpoint.
func (s *streams) newState(t *checkpoint.Stream) *streamState {
	st := &streamState{tracked: t}
	if stored := s.checkpoint.Stored(t); t.Sparse {
		st.forgotten = stored
	} else {
		st.claim(stored, s.checkpoint.Missing(t))
	}
	return st
}

// forget deletes the streams that the checkpoint has forgotten, except those that have lines in the
// spool.
func (s *streams) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, st := range s.byID {
		if st.held == 0 && s.checkpoint.Stream(id) == nil {
			delete(s.byID, id)
		}
	}
}

// positions returns the received position of each stream.
func (s *streams) positions() map[schema.StreamID]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	positions := map[schema.StreamID]int64{}
	for id, st := range s.byID {
		positions[id] = st.received.Prefix()
	}
	return positions
}

// received returns the position up to which a stream is received.
func (s *streams) received(t *checkpoint.Stream) int64 {
	st := s.of(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	return st.received.Prefix()
}

// position returns the position of a stream, if everything before claimed counts as stored.
func (s *streams) position(t *checkpoint.Stream, claimed int64) Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.present(t)
	if st == nil {
		st = s.newState(t) // not kept: a sender may ask for many streams and send no lines
	}
	return Position{st.synced.ReachFrom(claimed), st.stored.ReachFrom(claimed)}
}

// held returns the streams that have lines in the spool.
func (s *streams) held() map[schema.StreamID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := map[schema.StreamID]bool{}
	for id, st := range s.byID {
		if st.held > 0 {
			held[id] = true
		}
	}
	return held
}

// missing returns the parts of a range that were not received.
func (s *streams) missing(st *streamState, r schema.Range) []schema.Range {
	s.mu.Lock()
	defer s.mu.Unlock()
	return st.received.Missing(r)
}

// survives reports whether a range is synced, and whether a failed disk lost some of it.
func (s *streams) survives(st *streamState, r schema.Range) (synced, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(st.synced.Missing(r)) == 0, len(st.received.Missing(r)) > 0
}

// receive records a spooled batch that was appended to a segment.
func (s *streams) receive(p *spooledBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.stream.held++
	p.stream.received.Add(p.Range)
}

// takeUp records a spooled batch that an earlier process received, and reports whether it is
// stored. kept is true if its segment is stored and kept only to compare sparse streams with.
func (s *streams) takeUp(p *spooledBatch, kept bool) (stored bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := p.stream
	st.held++
	if kept && st.tracked.Sparse && p.End <= s.checkpoint.Stored(st.tracked) {
		st.stored.Add(p.Range) // the checkpoint has only the end of a sparse stream, no ranges
		st.received.Add(p.Range)
		st.synced.Add(p.Range)
	}
	if len(st.stored.Missing(p.Range)) == 0 {
		return true
	}
	st.received.Add(p.Range)
	st.synced.Add(p.Range)
	return false
}

// sync records that spooled batches survive a crash.
func (s *streams) sync(batches []*spooledBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batches {
		p.stream.synced.Add(p.Range)
	}
}

// lose records that a failed disk lost spooled batches.
func (s *streams) lose(batches []*spooledBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batches {
		p.stream.received.Remove(p.Range)
		p.stream.held--
	}
}

// release records that the segment of the spooled batches was removed from the spool.
func (s *streams) release(batches []*spooledBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batches {
		p.stream.held--
		p.stream.forgetSparse(p)
	}
}

// unstored reports whether some of the spooled batches are not stored.
func (s *streams) unstored(batches []*spooledBatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batches {
		if len(p.stream.stored.Missing(p.Range)) > 0 {
			return true
		}
	}
	return false
}

// advance records spooled batches as stored, moves the positions of their streams in the
// checkpoint, and returns the streams' new entries.
func (s *streams) advance(batches []*spooledBatch) (entries []schema.StreamEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	touched := map[*streamState]bool{}
	for _, p := range batches {
		p.stream.stored.Add(p.Range)
		p.stream.gaps.Remove(p.Range)
		p.stream.batches = append(p.stream.batches, p)
		touched[p.stream] = true
	}
	s.checkpoint.Update(func() {
		for st := range touched {
			entries = append(entries, st.advance())
		}
	})
	return entries
}
