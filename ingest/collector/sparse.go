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

// sparseKept is how long a segment with lines of sparse streams is kept after it is stored. Their
// sender (Flume) sends a batch again if it did not receive the answer. Only the kept lines
// distinguish that from other lines at the same position.
const sparseKept = 10 * time.Minute

// maxKeptBatches is the limit of spooled batches that are kept for that. Flume's batches are small,
// and each is a spooled batch of about 200 bytes in memory.
const maxKeptBatches = 100_000

// Match is the result of comparing lines that are offered for a range of a sparse stream with the
// lines that were received there.
type Match int

const (
	// Fresh: no line was received in the range.
	Fresh Match = iota
	// Same: the lines that were received in the range are equal to those offered. There may be
	// others that were not received.
	Same
	// Different: other lines were received in the range.
	Different
	// Forgotten: lines may have been received, but they are no longer in the spool to be compared.
	Forgotten
)

// compare compares lines, offered for the range r of a sparse stream, with the lines that were
// received there.
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
			continue // the file was renamed or removed since held returned
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

// compareTries is enough for all changes of a segment's file during compare: it is renamed twice
// and removed once.
const compareTries = 4

// held returns the spooled batches of a stream that overlap a range, and the position before which
// other spooled batches may have been removed from the spool.
func (s *spool) held(st *streamState, r schema.Range) (batches []*spooledBatch, forgotten int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	some, forgotten := s.streams.known(st, r)
	if !some {
		return nil, forgotten
	}
	for _, sp := range s.all() {
		for _, p := range sp.content() {
			if p.stream == st && p.Start < r.End && r.Start < p.End {
				batches = append(batches, p)
			}
		}
	}
	return batches, forgotten
}

// known reports whether some of a range was received, and returns the position before which a
// sparse stream may have had lines that are no longer in the spool.
func (s *streams) known(st *streamState, r schema.Range) (some bool, forgotten int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := st.received.Missing(r)
	return len(missing) != 1 || missing[0] != r, st.forgotten
}

// same reports whether the bytes of the spooled batches are equal to lines, which begin at r.Start,
// where they overlap.
func (in *intake) same(batches []*spooledBatch, r schema.Range, lines []byte) (bool, error) {
	for _, p := range batches {
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

// data reads the lines of a spooled batch from its segment.
func (p *spooledBatch) data(fsys vfs.FS) (data []byte, err error) {
	f, err := p.in.open(fsys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := segment.NewReader(f, p.member.End())
	r.At(p.member)
	return r.Data()
}

// forgetSparse removes a spooled batch of a sparse stream from its sets, because its file was
// removed: its lines can no longer be compared. streams.mu must be held.
func (st *streamState) forgetSparse(p *spooledBatch) {
	if !st.tracked.Sparse {
		return
	}
	st.forgotten = max(st.forgotten, p.End)
	for _, set := range []*schema.RangeSet{&st.received, &st.synced, &st.stored} {
		set.Remove(p.Range)
	}
}
