package agent

import (
	"context"
	"errors"
	"maps"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/tail"
	"sluice/schema"
)

// reader follows the logs, and puts what it reads into the window. It begins again from other
// positions when a session requests it.
type reader struct {
	*env

	// mu guards the fields below. It may be held while locks of other parts are taken.
	mu     sync.Mutex
	begin  map[schema.StreamID]int64 // where the current tailer began, if later than the stored position
	tailer *tail.Tailer
	// halt stops the current tailer; nil if none runs. restarting is closed when the restart that
	// was requested has been done; from are the positions that it requested.
	halt       func()
	restarting chan struct{}
	from       map[schema.StreamID]int64
}

func newReader(e *env) *reader { return &reader{env: e, begin: map[schema.StreamID]int64{}} }

// run follows the logs and puts batches into the window until ctx is done; what was read by then
// is put into it too. If running is done it returns at once.
func (r *reader) run(ctx, running context.Context) error {
	codec, err := protocol.NewCodec(tailBytes)
	if err != nil {
		return err
	}
	defer codec.Close()
	for {
		err := r.follow(ctx, running, codec)
		if !r.restarted() || err != nil || ctx.Err() != nil || running.Err() != nil {
			return err
		}
	}
}

// tailBytes is the length of a full batch of the tailer.
const tailBytes = 1 << 20

// follow runs one tailer until it is stopped.
func (r *reader) follow(ctx, running context.Context, codec *protocol.Codec) error {
	reading, stopReading := context.WithCancel(running)
	defer stopReading()
	taking, stopTaking := context.WithCancel(running)
	defer stopTaking()
	defer context.AfterFunc(ctx, stopReading)()

	cfg := r.cfg.Tail
	cfg.Checkpoint, cfg.Position = r.cfg.Checkpoint, r.position
	cfg.Received = func(t *checkpoint.Stream) int64 { return r.claims.of(t.ID) }
	tailer, err := tail.New(cfg)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.tailer = tailer
	r.halt = func() { stopReading(); stopTaking() }
	r.mu.Unlock()
	var group errgroup.Group
	group.Go(func() error { return tailer.Run(reading) })
	group.Go(func() error {
		defer stopReading()
		return r.take(taking, tailer, codec)
	})
	if err = group.Wait(); errors.Is(err, context.Canceled) {
		err = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.halt = nil
	return err
}

// restart makes the reader read all logs again: each from its position in from, or else from the
// acknowledged one. The caller must not send meanwhile. restart returns when the window has no
// batches from before.
func (r *reader) restart(ctx context.Context, from map[schema.StreamID]int64) error {
	r.mu.Lock()
	halt, done := r.halt, make(chan struct{})
	if halt == nil { // no tailer runs; the next one begins at these positions
		r.beginAgain(from)
		r.mu.Unlock()
		return nil
	}
	r.from, r.restarting, r.halt = from, done, nil
	r.mu.Unlock()
	halt()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restarted completes a restart that was requested; it reports whether there was one.
func (r *reader) restarted() bool {
	spans := r.window.spans()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.restarting == nil {
		return false
	}
	for id, s := range spans {
		r.begin[id] = s.acked
	}
	r.disputes.offerAgain()
	r.beginAgain(r.from)
	close(r.restarting)
	r.restarting, r.from = nil, nil
	return true
}

// beginAgain lets the next tailer begin at the positions in from, and removes those of streams that
// the checkpoint does not have any more. r.mu must be held.
func (r *reader) beginAgain(from map[schema.StreamID]int64) {
	maps.Copy(r.begin, from)
	maps.DeleteFunc(r.begin, func(id schema.StreamID, _ int64) bool { return r.cfg.Checkpoint.Stream(id) == nil })
	r.window.clear()
}

// position returns the position from which a stream is read.
func (r *reader) position(t *checkpoint.Stream) int64 {
	stored := r.cfg.Checkpoint.Stored(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(stored, r.begin[t.ID])
}

// beginAt lets the next tailer begin a stream at a position, if that is later than the stored one.
func (r *reader) beginAt(id schema.StreamID, position int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin[id] = position
}

// current returns the tailer that runs, or ran last; nil before the first.
func (r *reader) current() *tail.Tailer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tailer
}

// take encodes what the tailer reads and puts it into the window.
func (r *reader) take(ctx context.Context, tailer *tail.Tailer, codec *protocol.Codec) error {
	var room []byte
	for d := range tailer.Deliveries() {
		fresh := false
		for _, b := range d.Batches {
			fresh = fresh || !r.cfg.Checkpoint.Fingerprints.HasTail(b.Stream)
			r.cfg.Checkpoint.Fingerprints.Remember(b.Stream, b.Data, b.End)
		}
		// After a crash the last bytes of a stream distinguish it from a copy of its log. They must
		// be saved before a collector may have lines of the stream, or the copy would be sent as
		// another log.
		if fresh {
			if err := r.saver.save(ctx); err != nil {
				return err
			}
		}
		for _, b := range d.Batches {
			if r.disputes.refuses(b.Stream.ID) {
				r.disputes.skip(b.Len())
				continue // the log keeps the lines until they are read again
			}
			for part := range cut(b, r.share.batchBytes()) {
				var p *encodedBatch
				p, room = r.encode(codec, &part, room)
				if err := r.window.add(ctx, p); err != nil {
					return err
				}
			}
		}
		d.Release()
	}
	return nil
}

// encode compresses a batch into room, which is returned to be used again, and copies it.
func (r *reader) encode(codec *protocol.Codec, b *tail.Batch, room []byte) (*encodedBatch, []byte) {
	m := protocol.Batch{Stream: b.Stream.ID, Range: b.Range, Lines: b.Lines, Compression: r.cfg.Compression}
	codec.Encode(&m, b.Data, room)
	if m.Compression != protocol.None {
		room = m.Body[:0]
	}
	return &encodedBatch{
		stream: b.Stream, Range: b.Range, lines: b.Lines, at: r.cfg.Now(),
		head: m.AppendHead(nil), body: append([]byte(nil), m.Body...), tail: tailOf(b.Stream.ID, b.Data, b.End),
	}, room
}
