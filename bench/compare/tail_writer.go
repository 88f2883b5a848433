package compare

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sluice/bench/fleet"
)

// writeEvery is the interval at which the writer writes: short enough not to affect readers, long
// enough that waking up is a small part of the cost of a line.
const writeEvery = 10 * time.Millisecond

// tailWriter writes logs like a web server.
type tailWriter struct {
	fleet   *fleet.Fleet
	ledger  string
	written atomic.Int64
	rotated atomic.Int64
}

func newTailWriter(spec tailSpec) (*tailWriter, error) {
	spec.Fleet.Now = time.Now
	f, err := fleet.New(spec.Fleet)
	if err != nil {
		return nil, err
	}
	return &tailWriter{fleet: f, ledger: spec.Outcome}, nil
}

// Run implements tailWork.
func (w *tailWriter) Run(ctx context.Context) error {
	w.fleet.Begin()
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := w.fleet.Step(); err != nil {
				return err
			}
			lines, _, rotated := w.fleet.Written()
			w.written.Store(lines)
			w.rotated.Store(int64(rotated))
		}
	}
}

func (w *tailWriter) lines() int64 { return w.written.Load() }

func (w *tailWriter) save() error {
	return errors.Join(w.fleet.Close(), w.fleet.Ledger().Write(w.ledger))
}
