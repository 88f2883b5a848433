package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
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

// compare says how lines, which are at a range of a sparse stream, go together with
// what was received of it.
func (in *intake) compare(ctx context.Context, st *streamState, r schema.Range, lines []byte) (Match, error) {
	for range compareTries {
		if err := in.life.ended(nil); err != nil {
			return Forgotten, err
		}
		held, forgotten := in.spool.held(st, r)
		switch {
		case len(held) == 0 && r.Start < forgotten:
			return Forgotten, nil
		case len(held) == 0:
			return Fresh, nil
		}
		same, err := in.same(held, r, lines)
		if errors.Is(err, os.ErrNotExist) && ctx.Err() == nil {
			continue // it was sealed, or forgotten, in the moment between
		}
		if err != nil {
			return Forgotten, fmt.Errorf("spool: compare %v of stream %s: %w", r, st.tracked.ID, err)
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

// held returns the pieces of a stream that have some of a range, and up to where other pieces may
// have been removed.
func (s *spool) held(st *streamState, r schema.Range) (pieces []*piece, forgotten int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	some, forgotten := s.streams.known(st, r)
	if !some {
		return nil, forgotten
	}
	for _, sp := range s.all() {
		for _, p := range sp.content() {
			if p.stream == st && p.Start < r.End && r.Start < p.End {
				pieces = append(pieces, p)
			}
		}
	}
	return pieces, forgotten
}

// known reports whether some of a range was received, and up to where a sparse stream may have
// had lines that the spool no longer has.
func (s *streams) known(st *streamState, r schema.Range) (some bool, forgotten int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := st.received.Missing(r)
	return len(missing) != 1 || missing[0] != r, st.forgotten
}

// same reports whether pieces have the same bytes as lines where both have any.
func (in *intake) same(pieces []*piece, r schema.Range, lines []byte) (bool, error) {
	for _, p := range pieces {
		data, err := p.data(in.cfg.FS)
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

// data reads a piece from its segment.
func (p *piece) data(fsys vfs.FS) (data []byte, err error) {
	f, err := p.in.open(fsys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := segment.NewReader(f, p.member.End())
	r.At(p.member)
	return r.Data()
}

// forgetSparse: the file of a piece is gone. If the stream is sparse, it is not compared any more.
// streams.mu is held.
func (st *streamState) forgetSparse(p *piece) {
	if !st.tracked.Sparse {
		return
	}
	st.forgotten = max(st.forgotten, p.End)
	for _, set := range []*schema.RangeSet{&st.received, &st.synced, &st.stored} {
		set.Remove(p.Range)
	}
}
