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

// FollowConfig configures Follow.
type FollowConfig struct {
	Checkpoint *checkpoint.File
	Collector  *collector.Collector
	// Tail configures the tailer. Follow sets its Checkpoint and Position.
	Tail tail.Config
	// Ticks triggers the work that depends on the clock: flushing rows and sealing segments. It
	// should tick every few seconds.
	Ticks <-chan time.Time
	// Report, if not nil, is called at the start and at every tick, always from the same goroutine.
	Report func(*tail.Tailer)
}

// errReread reports that the spool's disk lost lines that were read.
var errReread = errors.New("lines that the spool's disk did not keep are read again")

// Follow reads logs as they grow, until ctx is done. What was read by then is in segments, and is
// being written to the table. It returns nil when ctx ended it. The caller closes the collector,
// whatever Follow returns.
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

// follow runs one tailer. It returns errReread if lines must be read again.
func (cfg *FollowConfig) follow(ctx context.Context) error {
	dropped := cfg.Collector.Dropped()
	positions := cfg.Collector.Positions()
	cfg.Tail.Position = func(s *checkpoint.Stream) int64 { return max(cfg.Checkpoint.Stored(s), positions[s.ID]) }
	tailer, err := tail.New(cfg.Tail)
	if err != nil {
		return err
	}
	// What was read is still stored after ctx is done.
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

// takeGrace is the time after ctx is done in which the collector may still accept what was read.
const takeGrace = 10 * time.Second

// giveUp ends take after ctx is done, by calling done: at once if the collector is retrying a
// failed operation, otherwise after takeGrace. The next process reads the remaining lines again.
func (cfg *FollowConfig) giveUp(ctx, taken context.Context, done func()) {
	select {
	case <-ctx.Done():
	case <-taken.Done():
		return
	}
	end := time.After(takeGrace)
	for len(cfg.Collector.State().Retries) == 0 {
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

// take passes the batches of the tailer to the collector. It returns errReread if Collector.Dropped
// has changed since the start.
func (cfg *FollowConfig) take(ctx context.Context, tailer *tail.Tailer, dropped int) error {
	var known int64 // number of streams in the saved checkpoint
	for d := range tailer.Deliveries() {
		// The checkpoint must have a stream before the spool contains lines of it.
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
	cfg.Checkpoint.Fingerprints.Remember(b.Stream, b.Data, b.End)
	return nil
}

// tick passes ticks to the collector until ctx is done, and calls Report. It returns the
// collector's error.
func (cfg *FollowConfig) tick(ctx context.Context, tailer *tail.Tailer) error {
	report := func() {
		if cfg.Report != nil {
			cfg.Report(tailer)
		}
	}
	report() // replaces the report of the previous process
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
