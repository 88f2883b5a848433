package hbase

import (
	"context"
	"fmt"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
)

// flight is rows that were sent, until each is durable or rejected.
type flight struct {
	w     *writer
	lane  *lane // whose in-flight bytes it counts in
	bytes int

	todo     []*batch
	backoff  rpc.Backoff
	unknowns int
	pause    bool
	waited   map[string]bool // names in Retries
	why      error           // of the last failed attempt
}

// checkStateAt is the number of attempts after which, and after whose multiples, the table's state
// is checked.
const checkStateAt = 6

func (f *flight) fly() {
	err := f.deliver()
	for what := range f.waited {
		if err == nil {
			f.w.retries.Recovered(what, f)
		}
	}
	f.w.landed(f, err)
}

func (f *flight) deliver() error {
	ctx := f.w.life
	f.backoff.Limit = f.w.cluster.Limit()
	for len(f.todo) > 0 {
		f.backoff.Begin()
		now := f.todo
		f.todo, f.pause = nil, false
		for _, group := range byServer(now) {
			if err := f.attempt(ctx, group); err != nil {
				return err
			}
		}
		if !f.pause {
			continue
		}
		if err := f.backoff.Wait(ctx, f.why); err != nil {
			return err
		}
		if f.backoff.Attempts%checkStateAt == 0 {
			if err := f.w.cluster.CheckEnabled(ctx, f.w.regions.Name()); region.Classify(err) == rpc.GiveUp {
				return err
			}
		}
		if err := f.relocate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// byServer groups batches by server, one request each, in their order.
func byServer(all []*batch) [][]*batch {
	var groups [][]*batch
	place := map[rpc.Server]int{}
	for _, b := range all {
		i, ok := place[b.region.Server]
		if b.alone || !ok {
			groups = append(groups, nil)
			i = len(groups) - 1
			if !b.alone {
				place[b.region.Server] = i
			}
		}
		groups[i] = append(groups[i], b)
	}
	return groups
}

// attempt sends batches to their server. Failed ones are retried; the error is a permanent one.
func (f *flight) attempt(ctx context.Context, group []*batch) error {
	server := group[0].region.Server
	outcomes, err := f.call(ctx, server, group)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		f.note(server.Address(), err)
		for _, b := range group {
			if err := f.failed(b, err, len(group) > 1); err != nil {
				return err
			}
		}
		return nil
	}
	for i, b := range group {
		if err := f.settle(b, &outcomes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *flight) call(ctx context.Context, server rpc.Server, group []*batch) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m := f.w.multis.Get().(*multi)
	defer f.w.multis.Put(m)
	response, err := f.w.cluster.Call(ctx, server, m.encode(group, f.w.durability))
	if err != nil {
		return nil, err
	}
	defer response.Release()
	return parseMulti(response.Message, group)
}

// settle handles the response for a batch.
func (f *flight) settle(b *batch, o *outcome) error {
	if o.err != nil {
		f.note(b.region.Server.Address(), o.err)
		return f.failed(b, o.err, false)
	}
	if len(o.failed) == 0 {
		b.reset()
		f.w.batches.Put(b)
		return nil
	}
	// Rows with the same reaction stay together, in their order.
	again := map[rpc.Reaction]*batch{}
	errs := map[rpc.Reaction]error{}
	for _, failure := range o.failed {
		reaction := rpc.Classify(failure.err)
		if reaction == rpc.RefuseRow {
			key, cells := b.decode(failure.row)
			if err := f.w.refuse(key, cells, failure.err); err != nil {
				return err
			}
			continue
		}
		if again[reaction] == nil {
			again[reaction] = &batch{region: b.region}
		}
		again[reaction].take(b, failure.row)
		errs[reaction] = failure.err
	}
	for reaction, rest := range again {
		f.note(b.region.Server.Address(), errs[reaction])
		if err := f.failed(rest, errs[reaction], false); err != nil {
			return err
		}
	}
	return nil
}

// failed handles a batch without a row that is known to be written; shared means that the error was
// that of several batches.
func (f *flight) failed(b *batch, err error, shared bool) error {
	var remote *rpc.RemoteError
	switch region.Classify(err) {
	case rpc.GiveUp:
		return err
	case rpc.RefuseRow:
		return f.isolate(b, err, shared)
	case rpc.RetryNow:
	case rpc.Unknown:
		if f.unknowns++; f.unknowns > maxUnknowns {
			return err
		}
		f.pause = true
	case rpc.Locate, rpc.Reopen:
		if asRemote(err, &remote) && remote.Moved != nil {
			f.w.regions.Moved(b.region, *remote.Moved)
		} else {
			f.w.regions.Drop(b.region)
		}
		b.region = nil
		f.pause = true
	case rpc.Pause:
		f.pause = true
	}
	f.todo = append(f.todo, b)
	return nil
}

// maxUnknowns bounds the unknown errors of a flight.
const maxUnknowns = 10

// isolate finds the row that fails its batch by retrying halves until one row is alone with the
// error.
func (f *flight) isolate(b *batch, err error, shared bool) error {
	switch {
	case shared:
		b.alone = true
		f.todo = append(f.todo, b)
		return nil
	case len(b.rows) == 1:
		key, cells := b.decode(0)
		return f.w.refuse(key, cells, err)
	}
	var halves [2]*batch
	for i := range halves {
		halves[i] = &batch{region: b.region, alone: true}
	}
	for i := range b.rows {
		halves[2*i/len(b.rows)].take(b, i)
	}
	f.todo = append(f.todo, halves[:]...)
	return nil
}

// relocate locates the regions of rows without a known one: several if the region was split.
func (f *flight) relocate(ctx context.Context) error {
	todo := f.todo
	f.todo = nil
	for _, b := range todo {
		if b.region != nil {
			f.todo = append(f.todo, b)
			continue
		}
		var next *batch
		for i := range b.rows {
			key := b.key(i)
			if next != nil && next.region.Has(key) {
				next.take(b, i)
				continue
			}
			r, err := locate(ctx, f.w.cluster, f.w.regions, key)
			if err != nil {
				return err
			}
			next = &batch{region: r, alone: b.alone}
			next.take(b, i)
			f.todo = append(f.todo, next)
		}
	}
	return nil
}

// note adds a failure to Retries.
func (f *flight) note(what string, err error) {
	if f.waited == nil {
		f.waited = make(map[string]bool)
	}
	f.waited[what] = true
	f.why = fmt.Errorf("%s: %w", what, err)
	f.w.retries.Failed(what, f, fmt.Errorf("attempt %d: %w", f.backoff.Attempts+1, err))
}
