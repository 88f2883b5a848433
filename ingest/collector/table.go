package collector

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// tableQueueBytes is the limit of bytes of lines that wait for the table in memory. Their rows take
// up to four times as much.
const tableQueueBytes = 2 << 20

// tableWriter puts the rows of received lines: of parsed batches, which wait in a queue, and of the
// backlog, which it reads from segments again. newParsedBatch, handOver, release and nudge may be
// called concurrently, the other methods only by the goroutine that puts rows and commits.
type tableWriter struct {
	cfg      *Config
	life     *lifecycle
	columns  *columnQueue
	counters *Counters
	slow     *slowHosts
	backlog  *backlog // spooled batches whose rows are not in a parsed batch

	queue   *semaphore.Weighted // bytes of lines that wait for the table
	batches chan *parsedBatch
	// queued has parsed batches with memory for lines and rows, of which the queue limits the
	// number, and pool those without.
	queued, pool sync.Pool     // *parsedBatch
	wake         chan struct{} // there is work other than parsed batches

	rows   schema.Rows // rows of the stream directory
	dirty  bool        // rows were put since the last Flush
	reread parsedBatch // parsed batch for spooled batches that are read from segments

	reading *spooled // the segment that file and reader are of
	file    vfs.File
	reader  segment.Reader
}

func newTableWriter(cfg *Config, life *lifecycle, columns *columnQueue, counters *Counters) *tableWriter {
	w := &tableWriter{
		cfg: cfg, life: life, columns: columns, counters: counters, backlog: newBacklog(),
		slow:  &slowHosts{log: cfg.Log, byHost: map[string]Slow{}},
		queue: semaphore.NewWeighted(tableQueueBytes), batches: make(chan *parsedBatch, 1024), wake: make(chan struct{}, 1),
	}
	w.pool.New = func() any { return new(parsedBatch) }
	w.queued.New = w.pool.New
	return w
}

// nudge wakes the goroutine that puts rows and commits.
func (w *tableWriter) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// awaitTable waits until the table can be used.
func (w *tableWriter) awaitTable(ctx context.Context) error {
	if w.cfg.tableReady() {
		return nil
	}
	select {
	case <-w.cfg.TableReady:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work puts the rows of a parsed batch or, if there is none, of a spooled batch of the backlog. It
// does not wait; worked is false if there is neither.
func (w *tableWriter) work(ctx context.Context) (worked bool, err error) {
	select {
	case p := <-w.batches:
		return true, w.put(ctx, p)
	default:
	}
	p := w.backlog.next()
	if p == nil {
		return false, nil
	}
	if _, waits := p.state(); waits { // its segment must be recovered first
		w.backlog.add(p)
		return false, nil
	}
	return true, w.life.attempt(ctx, "spool", func() error { return w.again(ctx, p) })
}

// await waits for a parsed batch, and puts its rows, or for nudge.
func (w *tableWriter) await(ctx context.Context) error {
	select {
	case p := <-w.batches:
		return w.put(ctx, p)
	case <-w.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// put writes a parsed batch's rows.
func (w *tableWriter) put(ctx context.Context, p *parsedBatch) error {
	defer w.release(p)
	return w.write(ctx, p)
}

func (w *tableWriter) write(ctx context.Context, p *parsedBatch) error {
	if w.cfg.Table != nil {
		for _, x := range p.batches {
			if err := w.declare(ctx, x.stream); err != nil {
				return err
			}
		}
		w.dirty = true
		if err := w.cfg.Table.Put(ctx, &p.rows); err != nil {
			return err
		}
	}
	for _, x := range p.batches {
		x.setTabled()
		if w.cfg.Table != nil && !x.earlier {
			w.counters.Rows.Add(x.lines)
		}
	}
	return nil
}

// declare puts a stream's row in the stream directory before its first rows, because rows are read
// with the format of their stream.
func (w *tableWriter) declare(ctx context.Context, st *streamState) error {
	if st.declared {
		return nil
	}
	var entry schema.StreamEntry
	w.cfg.Checkpoint.Update(func() { entry = st.tracked.StreamEntry })
	if err := w.putEntries(ctx, []schema.StreamEntry{entry}); err != nil {
		return err
	}
	st.declared = true
	return nil
}

// putEntries puts the streams' rows in the stream directory.
func (w *tableWriter) putEntries(ctx context.Context, entries []schema.StreamEntry) error {
	if w.cfg.Table == nil {
		return nil
	}
	w.rows.Reset()
	for i := range entries {
		w.cfg.Table.Layout().AppendStream(&w.rows, &entries[i])
	}
	w.dirty = true
	return w.cfg.Table.Put(ctx, &w.rows)
}

// flush makes the rows that were put durable.
func (w *tableWriter) flush(ctx context.Context) error {
	if !w.dirty {
		return nil
	}
	if err := w.cfg.Table.Flush(ctx); err != nil {
		return err
	}
	w.dirty = false
	return nil
}

// again reads a spooled batch from its segment and writes its rows.
func (w *tableWriter) again(ctx context.Context, x *spooledBatch) error {
	data, err := w.data(x)
	if err != nil || data == nil {
		return err
	}
	st := x.stream
	origin, _, err := w.cfg.prepare(st, &st.again)
	if err != nil {
		return err
	}
	p := &w.reread
	p.reset()
	p.lines, p.wantsRows = data, w.cfg.Table != nil
	p.batches = append(p.batches, x)
	began := w.cfg.Now()
	if err := p.read(ctx, &st.again, w.cfg.Naming, x.Start); err != nil {
		return err
	}
	now := w.cfg.Now()
	w.slow.note(now, origin.Host, origin.Path, len(data), now.Sub(began))
	x.count(p.cuts)
	w.backlog.spend(st.tracked.Host, now.Sub(began))
	return w.write(ctx, p)
}

// data returns a spooled batch's lines, nil if it was dropped.
func (w *tableWriter) data(x *spooledBatch) ([]byte, error) {
	if dropped, _ := x.state(); dropped {
		return nil, nil
	}
	if sp := x.in; w.reading != sp {
		w.close()
		file, err := sp.open(w.cfg.FS)
		if err != nil {
			return nil, err
		}
		w.reading, w.file = sp, file
		w.reader.Reset(file, 1<<62)
	}
	w.reader.At(x.member)
	data, err := w.reader.Data()
	if err != nil {
		w.close()
		return nil, fmt.Errorf("%s: %w", x.in.file(), err) // it may have been renamed since it was opened
	}
	return data, nil
}

// close closes the segment that was read last.
func (w *tableWriter) close() {
	if w.file != nil {
		w.file.Close() // it was read only
	}
	w.reading, w.file = nil, nil
}
