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

// read follows the logs and puts batches into the window until ctx is done; what was read by then
// is put into it too. If running is done it returns at once.
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

// tailBytes is the length of a full batch of the tailer.
const tailBytes = 1 << 20

// readOn runs one tailer until it is stopped.
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

// restart makes the agent read all logs again: each from its position in from, or else from the
// acknowledged one. The caller must not send meanwhile. restart returns when the window has no
// batches from before.
func (a *Agent) restart(ctx context.Context, from map[schema.StreamID]int64) error {
	a.mu.Lock()
	halt, done := a.halt, make(chan struct{})
	if halt == nil { // no tailer runs; the next one begins at these positions
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

// restarted completes a restart that was requested; it reports whether there was one.
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

// position returns the position from which a stream is read.
func (a *Agent) position(t *checkpoint.Stream) int64 {
	stored := a.cfg.Checkpoint.Stored(t)
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(stored, a.begin[t.ID])
}

// take encodes what the tailer reads and puts it into the window.
func (a *Agent) take(ctx context.Context, tailer *tail.Tailer, codec *protocol.Codec) error {
	var room []byte
	for d := range tailer.Deliveries() {
		fresh := false
		for _, b := range d.Batches {
			fresh = fresh || !a.cfg.Checkpoint.Fingerprints.HasTail(b.Stream)
			a.cfg.Checkpoint.Fingerprints.Remember(b.Stream, b.Data, b.End)
		}
		// After a crash the last bytes of a stream distinguish it from a copy of its log. They must
		// be saved before a collector may have lines of the stream, or the copy would be sent as
		// another log.
		if fresh {
			if err := a.save(ctx); err != nil {
				return err
			}
		}
		for _, b := range d.Batches {
			if a.refuses(b.Stream.ID) {
				a.skip(b.Len())
				continue // the log keeps the lines until they are read again
			}
			m := protocol.Batch{Stream: b.Stream.ID, Range: b.Range, Lines: b.Lines, Compression: a.cfg.Compression}
			codec.Encode(&m, b.Data, room)
			if m.Compression != protocol.None {
				room = m.Body[:0]
			}
			p := &encodedBatch{stream: b.Stream, Range: b.Range, lines: b.Lines, at: a.cfg.Now(), head: m.AppendHead(nil), body: append([]byte(nil), m.Body...), tail: tailOf(b.Stream.ID, b.Data, b.End)}
			if err := a.window.add(ctx, p); err != nil {
				return err
			}
		}
		d.Release()
	}
	return nil
}

// save saves the checkpoint, and retries until it succeeds. Nothing is read meanwhile.
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

// trySave saves the checkpoint once, and records the result in the state.
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
