package soak

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/hbase"
	"sluice/test/cluster"
)

// world is the system that faults act on.
type world struct {
	cluster *cluster.Cluster
	// admin manages the table that the load writes.
	admin *hbase.Admin
	// key returns a key that a row of the table may have, for a random number.
	key     func(n uint64) []byte
	journal *journal

	mu     sync.Mutex
	held   map[string]bool
	splits atomic.Int64 // number of successful splits
}

// hold takes all claims, or none of them.
func (w *world) hold(claims ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(claims, func(c string) bool { return w.held[c] }) {
		return false
	}
	if w.held == nil {
		w.held = map[string]bool{}
	}
	for _, c := range claims {
		w.held[c] = true
	}
	return true
}

func (w *world) letGo(claims ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range claims {
		delete(w.held, c)
	}
}

// keepInterval is the interval at which exited daemons are started again.
const keepInterval = 2 * time.Second

// keep restarts daemons that exited by themselves, like an init system, until ctx ends: a region
// server that was declared dead, or whose log lost its data nodes, exits.
func (w *world) keep(ctx context.Context) error {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		dead, err := w.cluster.Dead()
		if err != nil {
			return err
		}
		for _, name := range dead {
			w.revive(name)
		}
	}
}

func (w *world) revive(name string) {
	if !w.hold(name) {
		return // held by a fault
	}
	defer w.letGo(name)
	if dead, err := w.cluster.Dead(); err != nil || !slices.Contains(dead, name) {
		return // was held by a fault
	}
	w.journal.say("world", name+" had given up, and is started")
	if err := w.cluster.StartDaemon(name); err != nil {
		w.journal.say("world", err.Error())
	}
}

// heal waits until all daemons run and HBase serves. keep must run meanwhile, because a server may
// exit late because of a fault.
func (w *world) heal(ctx context.Context) error {
	var err error
	for range 3 {
		dead, deadErr := w.cluster.Dead()
		for ; deadErr == nil && len(dead) > 0 && ctx.Err() == nil; dead, deadErr = w.cluster.Dead() {
			wait(ctx, keepInterval)
		}
		if deadErr != nil || ctx.Err() != nil {
			return cmp.Or(deadErr, ctx.Err())
		}
		if err = w.cluster.AwaitHBase(); err == nil {
			return nil
		}
		w.journal.say("world", err.Error())
	}
	return fmt.Errorf("the cluster does not come back: %w", err)
}

// faultTimeout is the timeout of requests to the master, which may be unavailable for minutes.
const faultTimeout = 2 * time.Minute

// act runs an event. A fault that could not be caused (a split of a region that moves) is written
// to the journal but is not an error, because the cluster may be broken.
func (w *world) act(ctx context.Context, e event) {
	f := e.fault
	if !w.hold(f.claims...) {
		w.journal.say("fault", f.name+": skipped, the cluster is being repaired")
		return
	}
	defer w.letGo(f.claims...)
	begin, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	text := f.name
	if e.hold > 0 {
		text = fmt.Sprintf("%s for %v", f.name, e.hold.Round(100*time.Millisecond))
	}
	w.journal.say("fault", text)
	err := f.begin(begin, w, e.n)
	switch {
	case err != nil:
		w.journal.say("fault", f.name+": "+err.Error())
	case f.end == nil:
		w.journal.say("fault", f.name+": done")
	}
	if f.end == nil {
		return
	}
	wait(ctx, e.hold)
	if err := f.end(ctx, w); err != nil {
		w.journal.say("fault", f.name+": repair: "+err.Error())
		return
	}
	w.journal.say("fault", f.name+": over")
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
