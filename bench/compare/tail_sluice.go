package compare

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
	"sluice/schema"
)

// sluiceTail is the reader of sluice as in an agent: one core, a checkpoint, and a sink that
// records each batch.
type sluiceTail struct {
	*rangeSink
	tailer     *tail.Tailer
	checkpoint *checkpoint.File
	known      int64 // number of streams in the saved checkpoint
}

// saveEvery is the interval at which delivered rows are synced and the checkpoint is saved.
const saveEvery = time.Second

func newSluice(spec tailSpec, interval time.Duration, sink *rangeSink) (*sluiceTail, error) {
	runtime.GOMAXPROCS(1)
	c, err := checkpoint.Open(vfs.OS{}, spec.State, "bench")
	if err != nil {
		return nil, err
	}
	tailer, err := tail.New(tail.Config{
		Sources: []tail.Source{{Pattern: filepath.Join(spec.Fleet.Dir, "*.log"), Format: "combined"}}, Host: "bench",
		Checkpoint: c, Latency: interval, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, err
	}
	return &sluiceTail{rangeSink: sink, tailer: tailer, checkpoint: c}, nil
}

// Run implements tailWork.
func (s *sluiceTail) Run(ctx context.Context) error {
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error { return s.tailer.Run(reading) })
	group.Go(s.deliver)
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (s *sluiceTail) deliver() error {
	var save <-chan time.Time
	if s.durable {
		tick := time.NewTicker(saveEvery)
		defer tick.Stop()
		save = tick.C
	}
	for {
		select {
		case d, ok := <-s.tailer.Deliveries():
			if !ok {
				return s.saveCheckpoint()
			}
			err := s.delivered(d)
			d.Release()
			if err != nil {
				return err
			}
		case <-save:
			if err := s.saveCheckpoint(); err != nil {
				return err
			}
		}
	}
}

func (s *sluiceTail) delivered(d *tail.Delivery) error {
	if n := s.tailer.Counters().Streams.Load(); s.durable && n != s.known {
		// As with a collector, the checkpoint must have a stream before its lines are delivered.
		if err := s.saveCheckpoint(); err != nil {
			return err
		}
		s.known = n
	}
	for _, b := range d.Batches {
		if err := s.take(uint64(b.Stream.ID), b.Start, b.Data, b.Lines); err != nil {
			return err
		}
		s.checkpoint.Fingerprints.Remember(b.Stream, b.Data, b.End)
		s.stored(b.Stream, b.Range)
	}
	return nil
}

func (s *sluiceTail) stored(stream *checkpoint.Stream, r schema.Range) {
	s.checkpoint.Update(func() { stream.Stored = r.End })
}

// saveCheckpoint makes the delivered rows durable, and then saves the checkpoint.
func (s *sluiceTail) saveCheckpoint() error {
	if err := s.commit(); err != nil {
		return err
	}
	return s.checkpoint.Save()
}
