package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/tail"
	"sluice/schema"
)

// FollowConfig is what Follow works with.
type FollowConfig struct {
	Checkpoint *checkpoint.File
	Collector  *Collector
	// Tail says what is followed; Follow gives it Checkpoint and Position.
	Tail tail.Config
	// Ticks are when what is due by the clock is done: rows made durable, segments
	// sealed. Once a few seconds.
	Ticks <-chan time.Time
	// Report, if any, is called at every tick, in Follow's goroutine.
	Report func(*tail.Tailer)
}

// Follow reads logs as they grow, until ctx is done; what was read by then is in
// segments and in the table. The caller closes the collector, whatever Follow
// returns: nil when ctx ended it.
func Follow(ctx context.Context, cfg FollowConfig) error {
	positions := cfg.Collector.positions()
	cfg.Tail.Checkpoint = cfg.Checkpoint
	cfg.Tail.Position = func(s *checkpoint.Stream) int64 { return max(cfg.Checkpoint.Stored(s), positions[s.ID]) }
	tailer, err := tail.New(cfg.Tail)
	if err != nil {
		return err
	}
	// What was read is kept even when the user had enough.
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error { return tailer.Run(reading) })
	group.Go(func() error { return cfg.take(context.WithoutCancel(ctx), tailer) })
	if err := group.Wait(); !errors.Is(err, context.Canceled) || ctx.Err() == nil {
		return err
	}
	return nil
}

// take gives the collector what the tailer reads.
func (cfg *FollowConfig) take(ctx context.Context, tailer *tail.Tailer) error {
	var known int64        // streams that the saved checkpoint has
	if cfg.Report != nil { // the last life's is not ours
		cfg.Report(tailer)
	}
	for {
		select {
		case d, ok := <-tailer.Deliveries():
			if !ok {
				return nil
			}
			// The spool may hold only what the checkpoint can name.
			if streams := tailer.Counters().Streams.Load(); streams != known {
				if err := cfg.Checkpoint.Save(); err != nil {
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
		case now := <-cfg.Ticks:
			if err := cfg.Collector.Tick(ctx, now); err != nil {
				return err
			}
			if cfg.Report != nil {
				cfg.Report(tailer)
			}
		}
	}
}

func (cfg *FollowConfig) append(ctx context.Context, b tail.Batch) error {
	err := cfg.Collector.Append(ctx, b.Stream, schema.Batch{Stream: &b.Stream.Stream, Range: b.Range, Data: b.Data, Lines: b.Lines})
	if err != nil {
		return fmt.Errorf("store %s %v: %w", b.Stream.Path, b.Range, err)
	}
	cfg.Checkpoint.Remember(b.Stream, b.Data, b.End)
	return nil
}
