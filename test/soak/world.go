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

// World is the system that faults act on.
type World struct {
	Cluster *cluster.Cluster
	// Admin manages the table that the load writes.
	Admin *hbase.Admin
	// Key returns a key that a row of the table may have, for a random number.
	Key     func(n uint64) []byte
	Journal *Journal

	mu     sync.Mutex
	held   map[string]bool
	splits atomic.Int64 // number of successful splits
}

// hold takes all claims, or none of them.
func (w *World) hold(claims ...string) bool {
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

func (w *World) letGo(claims ...string) {
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
func (w *World) keep(ctx context.Context) error {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		dead, err := w.Cluster.Dead()
		if err != nil {
			return err
		}
		for _, name := range dead {
			w.revive(name)
		}
	}
}

func (w *World) revive(name string) {
	if !w.hold(name) {
		return // held by a fault
	}
	defer w.letGo(name)
	if dead, err := w.Cluster.Dead(); err != nil || !slices.Contains(dead, name) {
		return // was held by a fault
	}
	w.Journal.Say("world", name+" had given up, and is started")
	if err := w.Cluster.StartDaemon(name); err != nil {
		w.Journal.Say("world", err.Error())
	}
}

// heal waits until all daemons run and HBase serves. keep must run meanwhile, because a server may
// exit late because of a fault.
func (w *World) heal(ctx context.Context) error {
	var err error
	for range 3 {
		dead, deadErr := w.Cluster.Dead()
		for ; deadErr == nil && len(dead) > 0 && ctx.Err() == nil; dead, deadErr = w.Cluster.Dead() {
			wait(ctx, keepInterval)
		}
		if deadErr != nil || ctx.Err() != nil {
			return cmp.Or(deadErr, ctx.Err())
		}
		if err = w.Cluster.AwaitHBase(); err == nil {
			return nil
		}
		w.Journal.Say("world", err.Error())
	}
	return fmt.Errorf("the cluster does not come back: %w", err)
}

// faultTimeout is the timeout of requests to the master, which may be unavailable for minutes.
const faultTimeout = 2 * time.Minute

// act runs an event. A fault that could not be caused (a split of a region that moves) is written
// to the journal but is not an error, because the cluster may be broken.
func (w *World) act(ctx context.Context, e Event) {
	f := e.Fault
	if !w.hold(f.Claims...) {
		w.Journal.Say("fault", f.Name+": skipped, the cluster is being repaired")
		return
	}
	defer w.letGo(f.Claims...)
	begin, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	text := f.Name
	if e.Hold > 0 {
		text = fmt.Sprintf("%s for %v", f.Name, e.Hold.Round(100*time.Millisecond))
	}
	w.Journal.Say("fault", text)
	err := f.Begin(begin, w, e.N)
	switch {
	case err != nil:
		w.Journal.Say("fault", f.Name+": "+err.Error())
	case f.End == nil:
		w.Journal.Say("fault", f.Name+": done")
	}
	if f.End == nil {
		return
	}
	wait(ctx, e.Hold)
	if err := f.End(ctx, w); err != nil {
		w.Journal.Say("fault", f.Name+": repair: "+err.Error())
		return
	}
	w.Journal.Say("fault", f.Name+": over")
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
