package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/tail"
	"sluice/schema"
)

// FollowConfig is what Follow works with.
type FollowConfig struct {
	Checkpoint *checkpoint.File
	Collector  *collector.Collector
	// Tail says what is followed; Follow gives it Checkpoint and Position.
	Tail tail.Config
	// Ticks are when what is due by the clock is done: rows made durable, segments
	// sealed. Once a few seconds.
	Ticks <-chan time.Time
	// Report, if any, is called at the start and at every tick, by one goroutine.
	Report func(*tail.Tailer)
}

// errReread: the spool's disk did not keep what was read.
var errReread = errors.New("lines that the spool's disk did not keep are read again")

// Follow reads logs as they grow, until ctx is done; what was read by then is in
// segments and on its way to the table. The caller closes the collector, whatever
// Follow returns: nil when ctx ended it.
func Follow(ctx context.Context, cfg FollowConfig) error {
	cfg.Tail.Checkpoint = cfg.Checkpoint
	for {
		err := cfg.follow(ctx)
		if !errors.Is(err, errReread) {
			return err
		}
		cfg.Tail.Log.Warn("spool lost lines that were read, reading them again")
	}
}

// follow is Follow, until something has to be read again.
func (cfg *FollowConfig) follow(ctx context.Context) error {
	dropped := cfg.Collector.Dropped()
	positions := cfg.Collector.Positions()
	cfg.Tail.Position = func(s *checkpoint.Stream) int64 { return max(cfg.Checkpoint.Stored(s), positions[s.ID]) }
	tailer, err := tail.New(cfg.Tail)
	if err != nil {
		return err
	}
	// What was read is kept even when the user had enough.
	group, reading := errgroup.WithContext(ctx)
	taken, done := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return tailer.Run(reading) })
	group.Go(func() error { defer done(); return cfg.take(taken, tailer, dropped) })
	group.Go(func() error { return cfg.tick(taken, tailer) })
	group.Go(func() error { cfg.giveUp(ctx, taken, done); return nil })
	if err := group.Wait(); !errors.Is(err, context.Canceled) || ctx.Err() == nil {
		return err
	}
	return nil
}

// retryCheckInterval is the time between checks whether the collector retries an operation.
const retryCheckInterval = 500 * time.Millisecond

// takeGrace is how long after the end what was read may take to be taken.
const takeGrace = 10 * time.Second

// giveUp calls done when what was read cannot be taken once ctx has ended: at once if
// the collector retries something that failed, else after takeGrace. The next start
// reads those lines again.
func (cfg *FollowConfig) giveUp(ctx, taken context.Context, done func()) {
	select {
	case <-ctx.Done():
	case <-taken.Done():
		return
	}
	end := time.After(takeGrace)
	for len(cfg.Collector.State().Troubles) == 0 {
		select {
		case <-taken.Done():
			return
		case <-end:
			done()
			return
		case <-time.After(retryCheckInterval):
		}
	}
	done()
}

// take gives the collector what the tailer reads.
func (cfg *FollowConfig) take(ctx context.Context, tailer *tail.Tailer, dropped int) error {
	var known int64 // streams that the saved checkpoint has
	for d := range tailer.Deliveries() {
		// The spool may hold only what the checkpoint can name.
		if streams := tailer.Counters().Streams.Load(); streams != known {
			if err := cfg.Collector.SaveCheckpoint(ctx); err != nil {
				return err
			}
			known = streams
		}
		for _, b := range d.Batches {
			if err := cfg.append(ctx, b); err != nil {
				return err
			}
		}
		d.Release()
		if cfg.Collector.Dropped() != dropped {
			return errReread
		}
	}
	return nil
}

func (cfg *FollowConfig) append(ctx context.Context, b tail.Batch) error {
	err := cfg.Collector.Offer(ctx, b.Stream, schema.Batch{Stream: &b.Stream.Stream, Range: b.Range, Data: b.Data, Lines: b.Lines})
	if err != nil {
		return fmt.Errorf("store %s %v: %w", b.Stream.Path, b.Range, err)
	}
	cfg.Checkpoint.Remember(b.Stream, b.Data, b.End)
	return nil
}

// tick does what is due by the clock, until ctx is done.
func (cfg *FollowConfig) tick(ctx context.Context, tailer *tail.Tailer) error {
	report := func() {
		if cfg.Report != nil {
			cfg.Report(tailer)
		}
	}
	report() // the last life's is not ours
	for {
		select {
		case now := <-cfg.Ticks:
			if err := cfg.Collector.Tick(now); err != nil {
				return err
			}
			report()
		case <-cfg.Collector.Done():
			return cfg.Collector.Err()
		case <-ctx.Done():
			return nil
		}
	}
}
