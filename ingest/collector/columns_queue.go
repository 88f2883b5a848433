package collector

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"sluice/ingest/segment"
	"sluice/schema"
	"sluice/table/columnar"
)

const (
	// columnQueueBytes is the limit of bytes of lines whose column chunks wait to be written.
	columnQueueBytes = 2 << 20
	// columnFileBytes is the limit of the memory of all unfinished Parquet files. A file that
	// exceeds it is given up, and made from its segment when that is sealed.
	columnFileBytes = 48 << 20
	// columnsSuffix is the suffix of a segment's Parquet file in the spool. The file need not
	// survive a crash, because it can be made from the segment again.
	columnsSuffix = ".parquet.open"
)

// columnQueue connects the three steps of storing Parquet files: appenders pass chunks to the
// goroutine that fills files, which passes sealed segments to the goroutines that store them. It is
// safe for concurrent use.
type columnQueue struct {
	cfg  *Config
	life *lifecycle

	room  *semaphore.Weighted // bytes of lines whose chunks are queued
	parts chan columnPart
	pool  sync.Pool     // *columnar.Chunk
	wake  chan struct{} // receives a value when due is not empty

	mu  sync.Mutex // guards what follows
	due []*spooled
	// spent is the time that storing each host's segments took since due was last empty. busy is
	// the number of each host's segments that are being stored. A sender chooses the format, so one
	// host's segment may take thousands of times as long as another's.
	spent map[string]time.Duration
	busy  map[string]int
}

// columnPart is the chunk of a segment's member, or the end of a segment.
type columnPart struct {
	sp     *spooled
	member segment.Member
	stream *schema.Stream
	labels map[string]string
	errors int
	chunk  *columnar.Chunk // nil: the segment is sealed
	weight int64           // bytes that it takes of room
}

func newColumnQueue(cfg *Config, life *lifecycle) *columnQueue {
	q := &columnQueue{
		cfg: cfg, life: life,
		room: semaphore.NewWeighted(columnQueueBytes), parts: make(chan columnPart, 64), wake: make(chan struct{}, 1),
		spent: map[string]time.Duration{}, busy: map[string]int{},
	}
	q.pool.New = func() any { return new(columnar.Chunk) }
	return q
}

// pass sends the chunk of the parsed batch's cut i, which was appended as the member m, to the
// goroutine that fills files. It may block, but not forever: that goroutine never waits for a
// caller of pass.
func (q *columnQueue) pass(sp *spooled, m segment.Member, b *schema.Batch, from *parsedBatch, i int) {
	if from.pool == nil {
		return
	}
	x := &from.cuts[i]
	part := columnPart{
		sp: sp, member: m, stream: b.Stream, labels: b.Labels, errors: int(x.errors),
		chunk: from.chunks[i], weight: min(x.Len(), from.columnWeight),
	}
	from.chunks[i] = nil
	from.columnWeight -= part.weight
	select {
	case q.parts <- part:
	case <-q.life.ctx.Done():
		q.release(part)
	}
}

func (q *columnQueue) release(p columnPart) {
	if p.chunk != nil {
		q.pool.Put(p.chunk)
		q.room.Release(p.weight)
	}
}

// end reports that a sealed segment gets no more chunks. Further calls for the same segment do
// nothing.
func (q *columnQueue) end(ctx context.Context, sp *spooled) error {
	if q.cfg.Columns == nil {
		return nil
	}
	var ended bool
	sp.set(func() { ended, sp.columnsEnded = sp.columnsEnded, true })
	if ended {
		return nil
	}
	select {
	case q.parts <- columnPart{sp: sp}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add queues a sealed segment to be stored.
func (q *columnQueue) add(sp *spooled) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = append(q.due, sp)
	q.rouse()
}

// rouse wakes one of the goroutines that store.
func (q *columnQueue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next removes and returns a segment to store: of the host with the fewest segments being stored,
// and among these of the host on which the least time was spent. nil: there is none. done must
// follow.
func (q *columnQueue) next() *spooled {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.due) == 0 {
		clear(q.spent) // times are compared only while segments are waiting
		return nil
	}
	best := 0
	for i, sp := range q.due {
		a, b := sp.name.Host, q.due[best].name.Host
		if q.busy[a] < q.busy[b] || q.busy[a] == q.busy[b] && q.spent[a] < q.spent[b] {
			best = i
		}
	}
	sp := q.due[best]
	q.due = slices.Delete(q.due, best, best+1)
	q.busy[sp.name.Host]++
	if len(q.due) > 0 {
		q.rouse()
	}
	return sp
}

// done records the end of an attempt to store a segment, and the time that it took.
func (q *columnQueue) done(sp *spooled, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	host := sp.name.Host
	q.spent[host] += took
	if q.busy[host]--; q.busy[host] == 0 {
		delete(q.busy, host)
	}
}
