package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/ingest/protocol"
)

const (
	// farewellInterval is the time between two attempts to tell a collector that this host is
	// connected to another one.
	farewellInterval = 10 * time.Second
	// farewellAgain is the time after which a collector is informed again, because it may have lost
	// its data.
	farewellAgain = 10 * time.Minute
	// farewellTimeout is the time limit of one such message.
	farewellTimeout = 10 * time.Second
)

// farewells tracks which collectors know that this host is connected to another one. A collector
// reports each host that was connected to it as missing until the host tells it where it is.
type farewells struct {
	cfg      *Config
	reporter *reporter
	changed  chan struct{} // has capacity for one

	// mu guards the fields below.
	mu       sync.Mutex
	present  string               // address of the connected collector; "": none
	notified map[string]time.Time // when each collector was informed last, by address
}

func newFarewells(cfg *Config, r *reporter) *farewells {
	return &farewells{cfg: cfg, reporter: r, notified: map[string]time.Time{}, changed: make(chan struct{}, 1)}
}

// arrived records that the host is connected to a collector.
func (f *farewells) arrived(address string) {
	f.mu.Lock()
	f.present = address
	delete(f.notified, address)
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// left records that the connection to the present collector ended.
func (f *farewells) left() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.present = ""
}

// due returns the collectors in all that must be notified now.
func (f *farewells) due(all []string, now time.Time) (due []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.present == "" {
		return nil
	}
	for _, address := range all {
		at, known := f.notified[address]
		if address != f.present && (!known || now.Sub(at) >= farewellAgain) {
			due = append(due, address)
		}
	}
	return due
}

// done records that the collector at address was informed, unless the host has connected to it
// meanwhile.
func (f *farewells) done(address string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.present != address {
		f.notified[address] = now
	}
}

// run tells the other collectors that this host is not connected to them, until ctx is done.
func (f *farewells) run(ctx context.Context) {
	if f.cfg.Flume || len(f.cfg.Collectors) < 2 {
		return
	}
	ticker := time.NewTicker(farewellInterval)
	defer ticker.Stop()
	for {
		for _, address := range f.due(f.cfg.Collectors, f.cfg.Now()) {
			if err := f.tell(ctx, address); err != nil {
				f.cfg.Log.Debug("collector not notified that this host uses another one, retrying", "collector", address, "err", err)
				continue
			}
			f.done(address, f.cfg.Now())
		}
		select {
		case <-f.changed:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// tell tells one collector that this host is connected to another one.
func (f *farewells) tell(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, farewellTimeout)
	defer cancel()
	client, err := f.cfg.connect(ctx, address)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it returns nil
	hello := protocol.Hello{Host: f.cfg.Tail.Host, Agent: f.cfg.Name}
	if _, err := client.Call(ctx, protocol.MessageHello, hello.Append(nil), nil, nil); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	// An acknowledgement is in the reply too: the operator may have used this collector.
	_, err = f.reporter.report(ctx, client, map[string]int64{protocol.FirstChoice: 0, protocol.Elsewhere: 1})
	return err
}
