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
	// columnQueueBytes bounds the lines whose columns wait to be written.
	columnQueueBytes = 2 << 20
	// columnFileBytes bounds the memory of the Parquet files that are being filled. A file
	// that would go beyond it is made from its segment when that is sealed.
	columnFileBytes = 48 << 20
	// columnsSuffix ends the name of a segment's Parquet file on our disk. It need not
	// survive a crash: it is made again from the segment.
	columnsSuffix = ".parquet.open"
)

// columnQueue is what is on its way to Columns: chunks of lines to the goroutine that
// fills files, and then sealed segments to those that store them. It is safe for concurrent use.
type columnQueue struct {
	cfg  *Config
	life *lifecycle

	room  *semaphore.Weighted // bytes of lines whose chunks wait
	parts chan columnPart
	spare sync.Pool     // *columnar.Chunk
	wake  chan struct{} // due is not empty

	mu  sync.Mutex // guards what follows
	due []*spooled
	// spent is how long each host's segments took to store, of those that wait, and busy how
	// many of a host's are being stored: a sender chooses the format, so one host's segment
	// may take thousands of times as long as another's.
	spent map[string]time.Duration
	busy  map[string]int
}

// columnPart is the chunk of a segment's member, or the segment's end.
type columnPart struct {
	sp     *spooled
	member segment.Member
	stream *schema.Stream
	labels map[string]string
	errors int
	chunk  *columnar.Chunk // nil: the segment is sealed
	weight int64           // of it in the queue
}

func newColumnQueue(cfg *Config, life *lifecycle) *columnQueue {
	q := &columnQueue{
		cfg: cfg, life: life,
		room: semaphore.NewWeighted(columnQueueBytes), parts: make(chan columnPart, 64), wake: make(chan struct{}, 1),
		spent: map[string]time.Duration{}, busy: map[string]int{},
	}
	q.spare.New = func() any { return new(columnar.Chunk) }
	return q
}

// pass hands the chunk of a parcel's cut i, which is the member m, to the goroutine
// that fills files. That one never waits for who calls this.
func (q *columnQueue) pass(sp *spooled, m segment.Member, b *schema.Batch, from *parcel, i int) {
	if from.spare == nil {
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
		q.spare.Put(p.chunk)
		q.room.Release(p.weight)
	}
}

// end says that no more chunks of a sealed segment come.
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

// add gives a sealed segment to those that store.
func (q *columnQueue) add(sp *spooled) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = append(q.due, sp)
	q.rouse()
}

// rouse wakes one of those that store.
func (q *columnQueue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next takes the segment of the host that has the fewest being stored and on which the
// least time was spent; nil: there is none.
func (q *columnQueue) next() *spooled {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.due) == 0 {
		clear(q.spent) // what was spent counts as long as somebody waits
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

// done notes that a segment was stored, or not, after so long.
func (q *columnQueue) done(sp *spooled, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	host := sp.name.Host
	q.spent[host] += took
	if q.busy[host]--; q.busy[host] == 0 {
		delete(q.busy, host)
	}
}
