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

// World is what faults act on.
type World struct {
	Cluster *cluster.Cluster
	// Admin manages the table that the load writes.
	Admin *hbase.Admin
	// Key gives a key that a row of the table may have, by a random number.
	Key     func(n uint64) []byte
	Journal *Journal

	mu     sync.Mutex
	held   map[string]bool
	splits atomic.Int64 // that were done
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

// keepInterval is how soon a daemon that gave up is started again.
const keepInterval = 2 * time.Second

// keep starts daemons that ended by themselves, as an init system does, until ctx
// ends: a region server that was taken for dead, or whose log lost its data nodes,
// gives up.
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
		return // a fault has it
	}
	defer w.letGo(name)
	if dead, err := w.Cluster.Dead(); err != nil || !slices.Contains(dead, name) {
		return // a fault had it
	}
	w.Journal.Say("world", name+" had given up, and is started")
	if err := w.Cluster.StartDaemon(name); err != nil {
		w.Journal.Say("world", err.Error())
	}
}

// heal waits until all daemons run and HBase serves; keep must go on meanwhile, for
// what a fault did may end a server as late as now.
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

// faultTimeout is for what a fault asks the master, which may be away for minutes.
const faultTimeout = 2 * time.Minute

// act lets an event happen. That a fault could not be done (a split of a region
// that moves) is noted, and no error: the cluster is meant to be out of order.
func (w *World) act(ctx context.Context, e Event) {
	f := e.Fault
	if !w.hold(f.Claims...) {
		w.Journal.Say("fault", f.Name+": left out, it is being mended")
		return
	}
	defer w.letGo(f.Claims...)
	begin, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	said := f.Name
	if e.Hold > 0 {
		said = fmt.Sprintf("%s for %v", f.Name, e.Hold.Round(100*time.Millisecond))
	}
	w.Journal.Say("fault", said)
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
		w.Journal.Say("fault", f.Name+": mending it: "+err.Error())
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
