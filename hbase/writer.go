package hbase

import (
	"context"
	"fmt"
	"sync"

	"sluice/hbase/region"
	"sluice/retry"
	"sluice/schema"
)

const (
	// maxPendingBytes bounds the rows that are not yet sent, over all servers.
	maxPendingBytes = 8 << 20
	// maxFlyingBytes bounds the in-flight rows, over all servers.
	maxFlyingBytes = 16 << 20
)

// writer groups rows by region and server, and sends those of a server as a request when there are
// enough. A request is a flight, which owns its rows until they are durable or rejected. So Put
// waits only if a server has too many bytes in flight.
type writer struct {
	cluster    *region.Cluster
	regions    *region.Table
	retries    *retry.Registry
	family     string
	durability Durability
	refused    func(key []byte, cells []schema.Cell, reason error) error
	directory  schema.KeyRange

	// token is held by a running put or flush.
	token chan struct{}
	lanes map[string]*lane
	open  map[*region.Region]*batch
	last  *batch
	// pending is the number of bytes in all open batches.
	pending int
	// streams are keys of the stream directory that were put since the last flush, the only rows
	// that change under the same key.
	streams map[string]bool

	// batches and multis are used again.
	batches, multis sync.Pool

	life   context.Context // cancels flights
	cancel context.CancelFunc
	wait   sync.WaitGroup // for flights

	mu      sync.Mutex
	flying  int // bytes
	flights int
	err     error         // permanent
	changed chan struct{} // closed and replaced when a flight ends
}

// lane is the batches and in-flight bytes of one server.
type lane struct {
	server  string
	batches []*batch
	pending int // bytes
	flying  int // bytes; under writer.mu
}

func newWriter(c *region.Cluster, regions *region.Table, retries *retry.Registry, layout schema.Layout, o Options) *writer {
	w := &writer{
		cluster: c, regions: regions, retries: retries, family: layout.Family, durability: o.Durability, refused: o.Refused,
		directory: layout.DirectoryRange(),
		token:     make(chan struct{}, 1), lanes: make(map[string]*lane), open: make(map[*region.Region]*batch),
		streams: make(map[string]bool), changed: make(chan struct{}),
	}
	w.batches.New = func() any { return new(batch) }
	w.multis.New = func() any { return new(multi) }
	w.life, w.cancel = context.WithCancel(context.Background())
	return w
}

func (w *writer) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.token <- struct{}{}:
		err := w.failure()
		if err != nil {
			w.release()
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) release() { <-w.token }

// put adds rows.
func (w *writer) put(ctx context.Context, rows *schema.Rows) error {
	if err := w.acquire(ctx); err != nil {
		return err
	}
	defer w.release()
	for i := range rows.Len() {
		if err := w.add(ctx, rows.Key(i), rows.Time(i), rows.Cells(i)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) add(ctx context.Context, key []byte, time int64, cells []schema.Cell) error {
	if err := checkRow(key, cells); err != nil {
		return w.refuse(key, cells, err)
	}
	if time == 0 && inRange(w.directory, key) {
		if w.streams[string(key)] { // flights are not ordered
			if err := w.drain(ctx); err != nil {
				return err
			}
		}
		w.streams[string(key)] = true
	}
	b := w.last
	if b == nil || !b.region.Has(key) {
		var err error
		if b, err = w.batch(ctx, key); err != nil {
			return err
		}
		w.last = b
	}
	before := len(b.cells)
	b.appendRow(w.family, key, time, cells)
	grown := len(b.cells) - before
	b.lane.pending += grown
	w.pending += grown
	switch {
	case b.lane.pending >= maxRequestBytes || len(b.rows) >= maxRequestRows:
		return w.send(ctx, b.lane)
	case w.pending >= maxPendingBytes:
		return w.send(ctx, w.fullest())
	}
	return nil
}

// batch returns the open batch for a key; its region is located if necessary.
func (w *writer) batch(ctx context.Context, key []byte) (*batch, error) {
	r := w.regions.Known(key)
	if r == nil {
		var err error
		if r, err = locate(ctx, w.cluster, w.regions, key); err != nil {
			return nil, err
		}
	}
	if b := w.open[r]; b != nil {
		return b, nil
	}
	address := r.Server.Address()
	l := w.lanes[address]
	if l == nil {
		l = &lane{server: address}
		w.lanes[address] = l
	}
	b := w.batches.Get().(*batch)
	b.region, b.lane = r, l
	l.batches = append(l.batches, b)
	w.open[r] = b
	return b, nil
}

func (w *writer) fullest() *lane {
	var most *lane
	for _, l := range w.lanes {
		if most == nil || l.pending > most.pending {
			most = l
		}
	}
	return most
}

// send makes a flight of a lane's batches, when its in-flight bytes allow it.
func (w *writer) send(ctx context.Context, l *lane) error {
	if len(l.batches) == 0 {
		return nil
	}
	bytes := l.pending
	err := w.until(ctx, func() bool {
		ok := (l.flying == 0 || l.flying+bytes <= windowBytes+maxRequestBytes/8) && (w.flying == 0 || w.flying+bytes <= maxFlyingBytes)
		if ok {
			l.flying += bytes
			w.flying += bytes
			w.flights++
		}
		return ok
	})
	if err != nil {
		return err
	}
	f := &flight{w: w, lane: l, bytes: bytes, todo: l.batches}
	for _, b := range l.batches {
		delete(w.open, b.region)
	}
	l.batches, l.pending, w.last = nil, 0, nil
	w.pending -= bytes
	w.wait.Go(f.fly)
	return nil
}

// flush waits until every row that was put is durable.
func (w *writer) flush(ctx context.Context) error {
	if err := w.acquire(ctx); err != nil {
		return err
	}
	defer w.release()
	return w.drain(ctx)
}

func (w *writer) drain(ctx context.Context) error {
	for _, l := range w.lanes {
		if err := w.send(ctx, l); err != nil {
			return err
		}
	}
	if err := w.until(ctx, func() bool { return w.flights == 0 }); err != nil {
		return err
	}
	clear(w.streams)
	return nil
}

// until waits for a condition, which is checked under the lock.
func (w *writer) until(ctx context.Context, condition func() bool) error {
	for {
		w.mu.Lock()
		err, ok, changed := w.err, w.err == nil && condition(), w.changed
		w.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return w.explain(ctx.Err())
		}
	}
}

// explain adds to an error what is being retried.
func (w *writer) explain(err error) error {
	for _, t := range w.retries.List() {
		return fmt.Errorf("%w, waiting for %s since %s: %w", err, t.What, t.Since.Format("15:04:05"), t.Err)
	}
	return err
}

// landed removes a flight.
func (w *writer) landed(f *flight, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights--
	f.lane.flying -= f.bytes
	w.flying -= f.bytes
	if err != nil && w.err == nil {
		w.err = err
		w.cancel() // other flights will not be reported as durable
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// refuse passes on a row that no server accepts.
func (w *writer) refuse(key []byte, cells []schema.Cell, reason error) error {
	if w.refused == nil {
		return fmt.Errorf("row %x cannot be stored: %w", key, reason)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused(key, cells, reason)
}

// close cancels flights.
func (w *writer) close() {
	w.cancel()
	w.wait.Wait()
}
