package collector

import (
	"slices"
	"sync"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/schema"
)

// streamState is a stream that batches come for.
type streamState struct {
	tracked  *checkpoint.Stream
	arrivals *arrivals // of its host

	taking sync.Mutex // held while a batch is taken, so that lines stay in order
	reader lineReader

	declared bool       // its directory row was put; the goroutine that stores owns it
	again    lineReader // and reads segments with this

	// Guarded by streams.mu:
	received schema.RangeSet // in segments, or stored
	synced   schema.RangeSet // of these, what survives a crash
	stored   schema.RangeSet // in table and archive
	// gaps are before what was received and were not: their sender has them stored
	// elsewhere, or they are long overdue (hole.go).
	gaps   schema.RangeSet
	pieces []*piece // stored, beyond tracked.Stored
	held   int      // pieces of it in the spool
	// forgotten is up to where a sparse stream may have had lines that the spool has
	// no more.
	forgotten int64
}

// piece is one member of a segment: a range of a stream, and what its lines were.
type piece struct {
	stream *streamState
	schema.Range
	// lines to last are set when it is made, or, if it is read again, by the goroutine that
	// puts rows.
	lines, errors int64
	first, last   int64 // event times; 0 where no line is dated
	in            *spooled
	member        segment.Member
	earlier       bool      // an earlier process received it
	at            time.Time // when it was received; of an earlier one, when it was taken up

	// Guarded by in.mu:
	tabled  bool // its rows were put, or there is no table
	dropped bool // a failed disk lost it
}

// claim takes everything before position as stored, but for gaps.
func (st *streamState) claim(position int64, gaps []schema.Range) {
	for _, set := range []*schema.RangeSet{&st.received, &st.synced, &st.stored} {
		set.Add(schema.Range{Start: 0, End: position})
		for _, gap := range gaps {
			set.Remove(gap)
		}
	}
	st.gaps = slices.Clone(gaps)
}

// advance moves the stream's position in the checkpoint over what is stored, counts the pieces
// before it, and returns the entry. streams.mu is held, and checkpoint.File.mu (Update).
func (st *streamState) advance() schema.StreamEntry {
	e := &st.tracked.StreamEntry // its Stream is read without the lock, and stays
	stored := st.stored.PrefixOver(st.gaps)
	if e.Sparse {
		stored = st.stored.Reached()
	}
	st.pieces = slices.DeleteFunc(st.pieces, func(p *piece) bool {
		if p.End > stored {
			return false
		}
		if p.Start >= e.Stored || !p.earlier {
			e.Lines += p.lines
			e.ParseErrors += p.errors
			if p.last != 0 {
				e.Extend(p.first)
				e.Extend(p.last)
			}
		}
		return true
	})
	e.Stored = max(e.Stored, stored)
	st.tracked.Missing = st.missing()
	return *e
}
