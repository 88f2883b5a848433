package agent

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// encodedBatch is an encoded batch that is not known to be received by a collector.
type encodedBatch struct {
	stream *checkpoint.Stream
	schema.Range
	seq        uint64
	lines      int
	at         time.Time // when it was read
	head, body []byte
	tail       protocol.Tail // fingerprint of its last bytes, uncompressed
}

// maxWindowBatches limits the window when batches are small: ten thousand logs that each grow by
// one line make as many batches.
const maxWindowBatches = 8192

// window holds batches in the order in which they were read. Its methods may be called
// concurrently.
type window struct {
	limit int64

	mu      sync.Mutex
	batches []*encodedBatch
	bytes   int64
	last    uint64 // seq of the last batch
	read    map[schema.StreamID]int64
	// acks are the fingerprints of the last acknowledged bytes of each stream.
	acks    map[schema.StreamID]protocol.Tail
	kept    int // length of acks or read, the greater, after the last keep
	ended   bool
	changed chan struct{}
}

func newWindow(limit int64) *window {
	return &window{limit: limit, read: map[schema.StreamID]int64{}, acks: map[schema.StreamID]protocol.Tail{}, changed: make(chan struct{})}
}

// announce wakes all waiting calls. w.mu must be held.
func (w *window) announce() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// add appends a batch. It waits while the window is full.
func (w *window) add(ctx context.Context, p *encodedBatch) error {
	for {
		w.mu.Lock()
		if len(w.batches) == 0 || w.bytes+int64(len(p.body)) <= w.limit && len(w.batches) < maxWindowBatches {
			w.last++
			p.seq = w.last
			w.batches = append(w.batches, p)
			w.bytes += int64(len(p.body))
			w.read[p.stream.ID] = p.End
			w.announce()
			w.mu.Unlock()
			return nil
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next returns the first batch after seq, and waits for one. It returns nil if no more will be
// added and all have been acknowledged.
func (w *window) next(ctx context.Context, seq uint64) (*encodedBatch, error) {
	for {
		w.mu.Lock()
		i, found := slices.BinarySearchFunc(w.batches, seq, func(p *encodedBatch, seq uint64) int { return cmp.Compare(p.seq, seq) })
		if found {
			i++
		}
		if i < len(w.batches) {
			defer w.mu.Unlock()
			return w.batches[i], nil
		}
		drained := w.ended && len(w.batches) == 0
		changed := w.changed
		w.mu.Unlock()
		if drained {
			return nil, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// done removes a batch that a collector acknowledged.
func (w *window) done(p *encodedBatch) {
	w.mu.Lock()
	if p.End > w.acks[p.stream.ID].At {
		w.acks[p.stream.ID] = p.tail
	}
	w.mu.Unlock()
	w.remove(func(o *encodedBatch) bool { return o == p })
}

func (w *window) remove(gone func(*encodedBatch) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.batches)
	w.batches = slices.DeleteFunc(w.batches, func(p *encodedBatch) bool {
		if gone(p) {
			w.bytes -= int64(len(p.body))
			return true
		}
		return false
	})
	if len(w.batches) < before {
		w.announce()
	}
}

// acked returns the position up to which a collector acknowledged a stream.
func (w *window) acked(id schema.StreamID) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acks[id].At
}

// ending is a position in a stream at which a batch ends.
type ending struct {
	id schema.StreamID
	at int64
}

// tails returns the fingerprints of what was sent, by the position at which it ends.
func (w *window) tails() map[ending]protocol.Tail {
	w.mu.Lock()
	defer w.mu.Unlock()
	tails := make(map[ending]protocol.Tail, len(w.acks)+len(w.batches))
	for id, t := range w.acks {
		tails[ending{id, t.At}] = t
	}
	for _, p := range w.batches {
		tails[ending{p.stream.ID, p.End}] = p.tail
	}
	return tails
}

// keep removes the state of streams that known reports false for. It does so only when the state
// has doubled, because it looks at all streams.
func (w *window) keep(known func(schema.StreamID) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if max(len(w.acks), len(w.read)) < 2*w.kept {
		return
	}
	maps.DeleteFunc(w.acks, func(id schema.StreamID, _ protocol.Tail) bool { return !known(id) })
	maps.DeleteFunc(w.read, func(id schema.StreamID, _ int64) bool { return !known(id) })
	w.kept = max(len(w.acks), len(w.read), keepAtLeast)
}

// keepAtLeast is how many streams' state is kept without looking which of them are still known.
const keepAtLeast = 500

// forget removes a stream's batches, and returns how many bytes of the log they are.
func (w *window) forget(t *checkpoint.Stream) (bytes int64) {
	w.remove(func(p *encodedBatch) bool {
		if p.stream != t {
			return false
		}
		bytes += p.Len()
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.read, t.ID)
	return bytes
}

// span is the progress of a stream: acknowledged up to acked, read up to read.
type span struct{ acked, read int64 }

// spans returns the progress of the streams that were read since clear.
func (w *window) spans() map[schema.StreamID]span {
	w.mu.Lock()
	defer w.mu.Unlock()
	spans := make(map[schema.StreamID]span, len(w.read))
	for id, read := range w.read {
		spans[id] = span{read, read}
	}
	for _, p := range w.batches {
		if s := spans[p.stream.ID]; p.Start < s.acked {
			spans[p.stream.ID] = span{p.Start, s.read}
		}
	}
	return spans
}

// streams returns the streams of the batches, each once, without those that has reports true for.
func (w *window) streams(has func(*checkpoint.Stream) bool) []*checkpoint.Stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	var streams []*checkpoint.Stream
	seen := map[schema.StreamID]bool{}
	for _, p := range w.batches {
		if !seen[p.stream.ID] && !has(p.stream) {
			seen[p.stream.ID] = true
			streams = append(streams, p.stream)
		}
	}
	return streams
}

// clear removes all batches; the caller reads the logs again.
func (w *window) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches, w.bytes = nil, 0
	clear(w.read)
	w.announce()
}

// end marks the window as complete: nothing more will be added.
func (w *window) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.announce()
}

// isEnded reports whether nothing more will be added.
func (w *window) isEnded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func (w *window) size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}
