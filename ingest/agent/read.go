package agent

import (
	"context"
	"errors"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/tail"
	"sluice/schema"
)

// read follows the logs into the window until ctx is done; what was read by then is
// in it. running ends it at once.
func (a *Agent) read(ctx, running context.Context) error {
	codec, err := protocol.NewCodec(tailBytes)
	if err != nil {
		return err
	}
	defer codec.Close()
	for {
		err := a.readOn(ctx, running, codec)
		if !a.restarted() || err != nil || ctx.Err() != nil || running.Err() != nil {
			return err
		}
	}
}

// tailBytes is the length of usual batches.
const tailBytes = 1 << 20

// readOn is read until the tailer is halted.
func (a *Agent) readOn(ctx, running context.Context, codec *protocol.Codec) error {
	reading, stopReading := context.WithCancel(running)
	defer stopReading()
	taking, stopTaking := context.WithCancel(running)
	defer stopTaking()
	defer context.AfterFunc(ctx, stopReading)()

	cfg := a.cfg.Tail
	cfg.Checkpoint, cfg.Position = a.cfg.Checkpoint, a.position
	tailer, err := tail.New(cfg)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.tailer = tailer
	a.halt = func() { stopReading(); stopTaking() }
	a.mu.Unlock()
	var group errgroup.Group
	group.Go(func() error { return tailer.Run(reading) })
	group.Go(func() error {
		defer stopReading()
		return a.take(taking, tailer, codec)
	})
	if err = group.Wait(); errors.Is(err, context.Canceled) {
		err = nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.halt = nil
	return err
}

// restart has all logs read again: each from where from says, or from what is
// acknowledged. Nothing is being sent meanwhile. It returns when nothing of what was
// read before is left.
func (a *Agent) restart(ctx context.Context, from map[schema.StreamID]int64) error {
	a.mu.Lock()
	halt, done := a.halt, make(chan struct{})
	if halt == nil { // it has not begun, or has ended: then the next start reads it
		maps.Copy(a.begin, from)
		a.window.clear()
		a.mu.Unlock()
		return nil
	}
	a.from, a.restarting, a.halt = from, done, nil
	a.mu.Unlock()
	halt()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restarted does what restart waits for; it reports whether somebody does.
func (a *Agent) restarted() bool {
	spans := a.window.spans()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.restarting == nil {
		return false
	}
	for id, s := range spans {
		a.begin[id] = s.acked
	}
	maps.Copy(a.begin, a.from)
	clear(a.refused)
	a.skipped = 0
	a.window.clear()
	close(a.restarting)
	a.restarting, a.from = nil, nil
	return true
}

// position is from where a stream is read.
func (a *Agent) position(t *checkpoint.Stream) int64 {
	stored := a.cfg.Checkpoint.Stored(t)
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(stored, a.begin[t.ID])
}

// take puts what the tailer reads into the window.
func (a *Agent) take(ctx context.Context, tailer *tail.Tailer, codec *protocol.Codec) error {
	var room []byte
	for d := range tailer.Deliveries() {
		fresh := false
		for _, b := range d.Batches {
			fresh = fresh || !a.cfg.Checkpoint.HasTail(b.Stream)
			a.cfg.Checkpoint.Remember(b.Stream, b.Data, b.End)
		}
		// A collector may have only what our checkpoint can tell from others: without its
		// last bytes a copy of the log would be another log after a crash.
		if fresh {
			if err := a.save(ctx); err != nil {
				return err
			}
		}
		for _, b := range d.Batches {
			if a.refuses(b.Stream.ID) {
				a.skip(b.Len())
				continue // it stays in the log
			}
			m := protocol.Batch{Stream: b.Stream.ID, Range: b.Range, Lines: b.Lines, Compression: a.cfg.Compression}
			codec.Encode(&m, b.Data, room)
			if m.Compression != protocol.None {
				room = m.Body[:0]
			}
			p := &parcel{stream: b.Stream, Range: b.Range, lines: b.Lines, at: a.cfg.Now(), head: m.AppendHead(nil), body: append([]byte(nil), m.Body...), tail: tailOf(b.Stream.ID, b.Data, b.End)}
			if err := a.window.add(ctx, p); err != nil {
				return err
			}
		}
		d.Release()
	}
	return nil
}

// save writes the checkpoint, until it can. Nothing is read meanwhile.
func (a *Agent) save(ctx context.Context) error {
	for a.trySave() != nil {
		select {
		case <-time.After(saveAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// trySave writes the checkpoint once, and notes whether it could.
func (a *Agent) trySave() error {
	err := a.cfg.Checkpoint.Save()
	a.mu.Lock()
	s := &a.state
	first, attempts, since := s.UnsavedAttempts == 0, s.UnsavedAttempts, s.UnsavedSince
	if err == nil {
		s.Unsaved, s.UnsavedSince, s.UnsavedAttempts = "", nil, 0
	} else {
		s.Unsaved = err.Error()
		s.UnsavedAttempts++
		if first {
			now := a.cfg.Now()
			s.UnsavedSince = &now
		}
	}
	a.mu.Unlock()
	switch {
	case err == nil && !first:
		a.cfg.Log.Info("checkpoint save recovered", "after", a.cfg.Now().Sub(*since).Round(time.Second), "attempts", attempts)
	case err != nil && first:
		a.cfg.Log.Warn("checkpoint save failed, retrying", "err", err)
	}
	return err
}

const saveAgain = 5 * time.Second
