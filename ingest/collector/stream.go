package collector

import (
	"slices"
	"sync"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/schema"
)

// streamState is the state of a stream for which batches are received.
type streamState struct {
	tracked  *checkpoint.Stream
	arrivals *arrivals // counters of its host; nil: they are not counted

	taking sync.Mutex // held while a batch is accepted, to keep the lines in order
	reader lineReader

	declared bool       // its row in the stream directory was put
	again    lineReader // reads segments again; both are owned by the goroutine that puts rows

	// Guarded by streams.mu:
	received schema.RangeSet // in segments, or stored
	synced   schema.RangeSet // the part of received that survives a crash
	stored   schema.RangeSet // in table and archive
	// gaps are ranges before received ones that were not received: their sender has them stored
	// elsewhere, or they are no longer waited for (hole.go).
	gaps    schema.RangeSet
	batches []*spooledBatch // stored, beyond tracked.Stored
	held    int             // number of its spooled batches in the spool
	// forgotten is the position before which a sparse stream may have had lines that are no longer
	// in the spool.
	forgotten int64
}

// spooledBatch is one member of a segment: a range of a stream, with the counts and times of its
// lines.
type spooledBatch struct {
	stream *streamState
	schema.Range
	// lines, errors, first and last are set when the spooledBatch is made or, if it is read again,
	// by the goroutine that puts rows.
	lines, errors int64
	first, last   int64 // event times; 0: no line has one
	in            *spooled
	member        segment.Member
	earlier       bool      // an earlier process received it
	at            time.Time // when it was received; if earlier, when it was recovered

	// Guarded by in.mu:
	tabled  bool // its rows were put, or there is no table
	dropped bool // a failed disk lost it
}

// claim marks everything before position as stored, except the gaps.
func (st *streamState) claim(position int64, gaps []schema.Range) {
	for _, set := range []*schema.RangeSet{&st.received, &st.synced, &st.stored} {
		set.Add(schema.Range{Start: 0, End: position})
		for _, gap := range gaps {
			set.Remove(gap)
		}
	}
	st.gaps = slices.Clone(gaps)
}

// advance moves the stream's position in the checkpoint to the end of what is stored without holes,
// counts the spooled batches before it, and returns the entry. streams.mu must be held, and
// checkpoint.File.mu (it is called by Update).
func (st *streamState) advance() schema.StreamEntry {
	e := &st.tracked.StreamEntry // its Stream is read without the lock, and must not be changed
	stored := st.stored.PrefixOver(st.gaps)
	if e.Sparse {
		stored = st.stored.Reached()
	}
	st.batches = slices.DeleteFunc(st.batches, func(p *spooledBatch) bool {
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
