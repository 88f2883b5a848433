package receiver

import (
	"context"
	"errors"
	"fmt"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/logfile"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// session is one agent's connection. Begin is called by one goroutine.
type session struct {
	*Receiver
	version protocol.Version
	peer    avrorpc.Peer
	host    string // "" before hello
	streams map[schema.StreamID]*namedStream
	// active are the streams whose position may have changed since it was reported.
	active   map[schema.StreamID]*namedStream
	beat     protocol.Heartbeat
	liveness liveness
	turns    chan struct{} // those of the host
	again    bool          // this session has already sent a message
}

// namedStream is a stream that a hello named, by the sender's id.
type namedStream struct {
	tracked  *checkpoint.Stream // nil: rejected
	refused  string
	reported collector.Position
	// claimed is the position up to which the sender reports the stream as stored. offered is the
	// end of its consecutive batches.
	claimed, offered int64
}

// Close implements avrorpc.Session.
func (s *session) Close() {
	if s.host == "" {
		return
	}
	s.change(s.host, func(h *Host) {
		h.Connections--
		h.named -= len(s.streams)
		s.named -= len(s.streams)
		delete(h.sessions, s)
		for _, x := range s.streams {
			if x.tracked == nil {
				continue
			}
			s.leave(x.tracked)
		}
	})
}

// Begin implements avrorpc.Session.
func (s *session) Begin(ctx context.Context, c *avrorpc.Call) (avrorpc.Finisher, error) {
	c.Idle = true // unless lines are accepted
	switch {
	case c.Message == protocol.MessageHello:
		return s.hello(ctx, c.Params)
	case s.host == "" && c.Message == protocol.MessageAppend:
		return receipt(protocol.Receipt{Status: protocol.UnknownStream, Reason: "hello expected first"}), nil
	case c.Message == protocol.MessageAppend:
		return s.append(ctx, c)
	case s.host == "":
		return nil, errors.New("hello expected first")
	case c.Message == protocol.MessageStatus:
		if err := s.turn(ctx); err != nil { // a large heartbeat takes as long as a batch
			return nil, err
		}
		defer s.turnOver()
		return s.status(c.Params)
	}
	return nil, fmt.Errorf("there is no message %q", c.Message)
}

// append passes a batch to the collector. The reply is sent when it is on disk.
func (s *session) append(ctx context.Context, c *avrorpc.Call) (avrorpc.Finisher, error) {
	var m protocol.Batch
	if err := m.Decode(c.Params); err != nil {
		return nil, fmt.Errorf("%w: batch: %w", avrorpc.ErrHangUp, err)
	}
	known := s.streams[m.Stream]
	if known == nil {
		return receipt(protocol.Receipt{Status: protocol.UnknownStream, Reason: "hello for this stream expected first"}), nil
	}
	if known.tracked != nil && !s.cfg.Checkpoint.Declared.Touch(known.tracked, s.cfg.Now()) {
		s.forgetStream(m.Stream, known)
		return receipt(protocol.Receipt{Status: protocol.UnknownStream, Reason: "the stream was forgotten, hello expected again"}), nil
	}
	if known.refused != "" {
		return s.answer(known, protocol.Refused, errors.New(known.refused)), nil
	}
	s.active[m.Stream] = known
	err := s.take(ctx, known, &m)
	if m.Range.Start <= known.offered {
		known.offered = max(known.offered, m.Range.End)
	}
	if err != nil {
		return s.failed(known, err)
	}
	c.Idle = false
	rng := m.Range
	s.note(s.host, func(h *Host) { h.Batches++; h.Lines += int64(m.Lines); h.Bytes += rng.Len(); s.spoke(h) })
	return avrorpc.FinishFunc(func(ctx context.Context, b []byte) ([]byte, error) {
		f := s.answer(known, protocol.OK, nil)
		if err := s.cfg.Collector.Sync(ctx, known.tracked, rng); err != nil {
			if f, err = s.failed(known, err); err != nil {
				return nil, err
			}
		}
		return f.Finish(ctx, b)
	}), nil
}

// errRefused means that a batch is rejected and need not be sent again unchanged.
var errRefused = errors.New("refused")

// take decodes a body and appends it to the collector's spool.
func (s *session) take(ctx context.Context, known *namedStream, m *protocol.Batch) error {
	t := known.tracked
	if m.Range.Len() > maxBodyBytes || m.Range.End > schema.MaxOffset {
		return fmt.Errorf("%w: a batch %v; a batch may have %d bytes, and end at byte %d", errRefused, m.Range, maxBodyBytes, int64(schema.MaxOffset))
	}
	if err := s.turn(ctx); err != nil {
		return err
	}
	defer s.turnOver()
	if err := s.decoded.Acquire(ctx, m.Range.Len()); err != nil {
		return err
	}
	defer s.decoded.Release(m.Range.Len())
	var d *decoder
	select {
	case d = <-s.decoders:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.decoders <- d }()
	data, err := d.codec.Data(m, d.room)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	if m.Compression != protocol.None {
		d.room = data[:0]
	}
	if cap(d.room) > keptRoomBytes {
		d.room = nil
	}
	if lines := logfile.CountLines(data); lines != m.Lines {
		return fmt.Errorf("%w: %d lines that are %d", errRefused, m.Lines, lines)
	}
	if s.cfg.Checkpoint.Fingerprints.Contradicts(t, data, m.Range.Start) {
		return fmt.Errorf("%w: its lines before byte %d differ from those that were received: another log needs another id", errRefused, m.Range.End)
	}
	err = s.cfg.Collector.Receive(ctx, t, schema.Batch{Stream: &t.Stream, Range: m.Range, Data: data, Lines: m.Lines}, known.claimed, known.offered)
	if errors.Is(err, collector.ErrHole) {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	if err == nil {
		s.cfg.Checkpoint.Fingerprints.RememberLast(t, data, m.Range.End)
	}
	return err
}

// turn waits until the session's host has a free turn; turnOver returns it.
func (s *session) turn(ctx context.Context) error {
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) turnOver() { <-s.turns }

// failed returns the reply to a batch that was not accepted.
func (s *session) failed(known *namedStream, err error) (avrorpc.Finisher, error) {
	switch {
	case errors.Is(err, collector.ErrBusy):
		s.note(s.host, func(h *Host) { h.Busy++ })
		return s.answer(known, protocol.Busy, err), nil
	case errors.Is(err, errRefused):
		s.note(s.host, func(h *Host) { h.Refused++; h.RefusedAt = h.Seen })
		s.fault(s.host, "batch", fmt.Sprintf("batch of %.100q %s", known.tracked.Path, err))
		return s.answer(known, protocol.Refused, err), nil
	}
	return nil, err // the collector stops, and the agent will connect again
}

// answer returns a receipt that has the stream's position at the time when it is sent.
func (s *session) answer(known *namedStream, status protocol.Status, why error) avrorpc.Finisher {
	r := protocol.Receipt{Status: status}
	if why != nil {
		r.Reason = why.Error()
		r.Reason = r.Reason[:min(len(r.Reason), protocol.MaxStringBytes)]
	}
	claimed := known.claimed
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) {
		if known.tracked != nil {
			p := s.cfg.Collector.Position(known.tracked, claimed)
			r.Received, r.Stored = p.Received, p.Stored
		}
		return r.Append(b), nil
	})
}

func receipt(r protocol.Receipt) avrorpc.Finisher {
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return r.Append(b), nil })
}
