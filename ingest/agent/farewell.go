package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/ingest/protocol"
)

const (
	// farewellInterval is the time between two attempts to reach a collector that does not
	// know yet that this host is with another one.
	farewellInterval = 10 * time.Second
	// farewellAgain is when a collector is told once more: it may have lost what it knew.
	farewellAgain = 10 * time.Minute
	// farewellTimeout is how long telling one collector may take.
	farewellTimeout = 10 * time.Second
)

// farewells is which collectors know that this host is with another one. A collector misses
// every host that was connected to it, until the host says so.
type farewells struct {
	mu      sync.Mutex
	present string               // the collector that this host is with; "": none
	told    map[string]time.Time // by address
	changed chan struct{}        // has room for one
}

func newFarewells() *farewells {
	return &farewells{told: map[string]time.Time{}, changed: make(chan struct{}, 1)}
}

// arrived notes that the host is with a collector.
func (f *farewells) arrived(address string) {
	f.mu.Lock()
	f.present = address
	delete(f.told, address)
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// left notes that the connection to the present collector is gone.
func (f *farewells) left() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.present = ""
}

// due returns the collectors of all that are to be told now.
func (f *farewells) due(all []string, now time.Time) (due []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.present == "" {
		return nil
	}
	for _, address := range all {
		at, known := f.told[address]
		if address != f.present && (!known || now.Sub(at) >= farewellAgain) {
			due = append(due, address)
		}
	}
	return due
}

// done notes that the collector at address was told, unless the host is there by now.
func (f *farewells) done(address string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.present != address {
		f.told[address] = now
	}
}

// sayFarewell tells the other collectors where this host is not, until ctx is done.
func (a *Agent) sayFarewell(ctx context.Context) {
	if a.cfg.Flume || len(a.cfg.Collectors) < 2 {
		return
	}
	ticker := time.NewTicker(farewellInterval)
	defer ticker.Stop()
	for {
		for _, address := range a.farewells.due(a.cfg.Collectors, a.cfg.Now()) {
			if err := a.farewell(ctx, address); err != nil {
				a.cfg.Log.Debug("collector not told that this host is with another one, retrying", "collector", address, "err", err)
				continue
			}
			a.farewells.done(address, a.cfg.Now())
		}
		select {
		case <-a.farewells.changed:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// farewell tells one collector that this host is with another one.
func (a *Agent) farewell(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, farewellTimeout)
	defer cancel()
	client, err := a.connect(ctx, address)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it returns nil
	hello := protocol.Hello{Host: a.cfg.Tail.Host, Agent: a.cfg.Name}
	if _, err := client.Call(ctx, protocol.MessageHello, hello.Append(nil), nil, nil); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	h := a.Heartbeat()
	h.Counters[protocol.FirstChoice], h.Counters[protocol.Elsewhere] = 0, 1
	if _, err := client.Call(ctx, protocol.MessageStatus, h.Append(nil), nil, nil); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}
