package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/schema"
)

// sparseKept is how long a segment with lines of sparse streams stays on our disk
// after it is stored: their sender (Flume) sends a batch again whose answer it did not
// get, and only what is here tells that from other lines in the same place.
const sparseKept = 10 * time.Minute

// maxKeptPieces bounds what is kept for that: Flume's batches are small, and each is a
// piece of some 200 bytes in memory.
const maxKeptPieces = 100_000

// Match is what a sparse stream's lines in some range are to others that are offered
// there.
type Match int

const (
	// Fresh: no line was ever received there.
	Fresh Match = iota
	// Same: what was received there is the same; the rest, if any, was not.
	Same
	// Different: other lines were.
	Different
	// Forgotten: some may have been; they are not here to look at.
	Forgotten
)

// Compare says how lines, which are at a range of a sparse stream, go together with
// what was received of it.
func (c *Collector) Compare(ctx context.Context, t *checkpoint.Stream, r schema.Range, lines []byte) (Match, error) {
	st := c.stream(t)
	for range compareTries {
		c.mu.Lock()
		var held []piece
		if missing := st.received.Missing(r); len(missing) != 1 || missing[0] != r {
			held = c.spool.at(st, r)
		}
		forgotten, err := st.forgotten, c.err
		c.mu.Unlock()
		switch {
		case err != nil:
			return Forgotten, err
		case len(held) == 0 && r.Start < forgotten:
			return Forgotten, nil
		case len(held) == 0:
			return Fresh, nil
		}
		same, err := c.same(held, r, lines)
		if errors.Is(err, os.ErrNotExist) && ctx.Err() == nil {
			continue // it was sealed, or forgotten, in the moment between
		}
		if err != nil {
			return Forgotten, fmt.Errorf("spool: compare %v of stream %s: %w", r, t.ID, err)
		}
		if same {
			return Same, nil
		}
		return Different, nil
	}
	return Forgotten, nil
}

// compareTries: a segment's file changes its name twice and goes away once.
const compareTries = 4

// at are the spool's pieces of a stream that hold something of a range. Collector.mu
// is held.
func (s *spool) at(st *streamState, r schema.Range) (pieces []piece) {
	look := func(sp *spooled) {
		for _, p := range sp.pieces {
			if p.stream == st && p.Start < r.End && r.Start < p.End {
				pieces = append(pieces, *p)
			}
		}
	}
	for _, sp := range s.open {
		look(sp)
	}
	for _, sp := range s.held {
		look(sp)
	}
	return pieces
}

// same reports whether pieces have the same bytes as lines where both have any.
func (c *Collector) same(pieces []piece, r schema.Range, lines []byte) (bool, error) {
	for i := range pieces {
		p := &pieces[i]
		data, err := c.pieceData(p)
		if err != nil {
			return false, err
		}
		both := schema.Range{Start: max(r.Start, p.Start), End: min(r.End, p.End)}
		if !bytes.Equal(lines[both.Start-r.Start:both.End-r.Start], data[both.Start-p.Start:both.End-p.Start]) {
			return false, nil
		}
	}
	return true, nil
}

// pieceData reads a piece from its segment.
func (c *Collector) pieceData(p *piece) (data []byte, err error) {
	p.in.use.RLock() // it keeps its name until it is open
	c.mu.Lock()
	path := p.in.path
	c.mu.Unlock()
	f, err := c.cfg.FS.OpenFile(path, os.O_RDONLY, 0)
	p.in.use.RUnlock()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := segment.NewReader(f, p.member.End())
	r.At(p.member)
	return r.Data()
}

// keeps is how long a segment stays after it is stored. What is kept to compare with
// gives way where the spool needs its room. c.mu is held.
func (c *Collector) keeps(sp *spooled) time.Duration {
	pieces := 0
	for _, sp := range c.spool.held {
		pieces += len(sp.pieces)
	}
	roomy := pieces < maxKeptPieces && (c.cfg.SpoolMaxBytes == 0 || c.spool.bytes < c.cfg.SpoolMaxBytes/2)
	if roomy && slices.ContainsFunc(sp.pieces, func(p *piece) bool { return p.stream.tracked.Sparse }) {
		return max(c.cfg.KeepLocal, sparseKept)
	}
	return c.cfg.KeepLocal
}

// forgetSparse: the file is gone, and what sparse streams had in it is not to be
// compared any more. Collector.mu is held.
func (sp *spooled) forgetSparse() {
	for _, p := range sp.pieces {
		st := p.stream
		if !st.tracked.Sparse {
			continue
		}
		st.forgotten = max(st.forgotten, p.End)
		for _, set := range []*schema.RangeSet{&st.received, &st.synced, &st.stored} {
			set.Remove(p.Range)
		}
	}
}
