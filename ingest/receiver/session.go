package receiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/ingest"
	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/protocol"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
)

// session is one agent's connection. Begin is called by one goroutine.
type session struct {
	*Receiver
	peer    avrorpc.Peer
	host    string // "" before hello
	streams map[schema.StreamID]*said
	beat    protocol.Heartbeat
}

// said is a stream that hello named.
type said struct {
	tracked *checkpoint.Stream // nil: refused
	refused string
	told    ingest.Position
}

// maxStreams bounds what one connection may name: rotations add to it for as long
// as the connection lasts.
const maxStreams = 20 * protocol.MaxStreams

// Close is for avrorpc.
func (s *session) Close() {
	if s.host == "" {
		return
	}
	s.note(s.host, func(h *Host) {
		h.Connections--
		for _, x := range s.streams {
			if x.tracked == nil {
				continue
			}
			s.leave(x.tracked)
		}
	})
}

// Begin is for avrorpc.
func (s *session) Begin(ctx context.Context, c *avrorpc.Call) (avrorpc.Finisher, error) {
	switch {
	case c.Message == protocol.MessageHello:
		return s.hello(c.Params)
	case s.host == "" && c.Message == protocol.MessageAppend:
		return receipt(protocol.Receipt{Status: protocol.UnknownStream, Reason: "say hello first"}), nil
	case c.Message == protocol.MessageAppend:
		return s.append(ctx, c.Params)
	case s.host == "":
		return nil, errors.New("say hello first")
	case c.Message == protocol.MessageStatus:
		return s.status(c.Params)
	}
	return nil, fmt.Errorf("there is no message %q", c.Message)
}

// hello takes down who speaks and what it has.
func (s *session) hello(params []byte) (avrorpc.Finisher, error) {
	var hello protocol.Hello
	if err := hello.Decode(params); err != nil {
		return nil, fmt.Errorf("%w: hello: %w", avrorpc.ErrHangUp, err)
	}
	if err := s.mayWrite(hello.Host); err != nil {
		return nil, err
	}
	if !s.room(hello.Host) {
		return nil, fmt.Errorf("%w: %d hosts have come already", avrorpc.ErrHangUp, maxHosts)
	}
	if len(s.streams)+len(hello.Streams) > maxStreams {
		return nil, fmt.Errorf("%w: it has %d streams and names %d more", avrorpc.ErrHangUp, len(s.streams), len(hello.Streams))
	}
	first := s.host == ""
	s.host = hello.Host
	s.note(s.host, func(h *Host) {
		h.Agent = hello.Agent
		if first {
			h.Connections++
		}
	})
	welcome := protocol.Welcome{Collector: s.cfg.Checkpoint.Collector(), MaxBatchBytes: batchBytes, Compressions: []protocol.Compression{protocol.None, protocol.Zstd, protocol.S2}}
	if err := s.declareAll(hello.Streams); err != nil {
		return nil, err
	}
	for i := range hello.Streams {
		x := &hello.Streams[i]
		if known := s.streams[x.ID]; known.tracked != nil {
			known.told = s.cfg.Collector.Position(known.tracked, x.Stored)
			welcome.Positions = append(welcome.Positions, protocol.Position{Stream: x.ID, Received: known.told.Received, Stored: known.told.Stored})
		}
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return welcome.Append(b), nil }), nil
}

// mayWrite says whether this peer may write that host's streams.
func (s *session) mayWrite(host string) error {
	if err := segment.CheckHost(host); err != nil {
		return err
	}
	if s.host != "" && s.host != host {
		return fmt.Errorf("this connection is host %s's, not %s's", s.host, host)
	}
	if s.peer.TLS && !slices.ContainsFunc(s.peer.Names, func(name string) bool { return strings.EqualFold(name, host) }) {
		return fmt.Errorf("the certificate is for %q, so it may not write streams of host %s", s.peer.Names, host)
	}
	return nil
}

// declareAll puts streams into the checkpoint, which is saved: the spool may hold
// only what it can name.
func (s *session) declareAll(streams []protocol.Stream) error {
	s.declaring.Lock()
	defer s.declaring.Unlock()
	for i := range streams {
		x := &streams[i]
		known := s.streams[x.ID]
		had := known != nil && known.tracked != nil
		if known == nil {
			known = new(said)
			s.streams[x.ID] = known
		}
		if err := s.declare(known, x); err != nil {
			known.refused = err.Error()
			s.cfg.Log.Warn("a stream is refused", "host", s.host, "path", x.Path, "error", err)
			if had { // its batches are refused from now on, but it is one that is spoken of
				continue
			}
		}
		if !had && known.tracked != nil {
			s.mu.Lock()
			s.live[x.ID]++
			s.mu.Unlock()
		}
	}
	return s.cfg.Checkpoint.Save()
}

func (s *session) declare(known *said, x *protocol.Stream) error {
	known.refused = ""
	entry := schema.StreamEntry{Stream: schema.Stream{ID: x.ID, Host: s.host, Path: x.Path, Format: x.Format, Zone: x.Zone}, Labels: x.Labels, Stored: x.Stored}
	if err := segment.CheckEntry(entry.Stream, entry.Labels); err != nil {
		return err
	}
	zone, err := time.LoadLocation(x.Zone)
	if err != nil {
		return err
	}
	if _, err := parse.Lookup(x.Format, zone); err != nil {
		return err
	}
	tracked, err := s.cfg.Checkpoint.Declare(entry)
	if err == nil && known.tracked == nil {
		known.tracked = tracked
	}
	return err
}

// append gives a batch to the collector; the reply waits until it is on disk.
func (s *session) append(ctx context.Context, params []byte) (avrorpc.Finisher, error) {
	var m protocol.Batch
	if err := m.Decode(params); err != nil {
		return nil, fmt.Errorf("%w: batch: %w", avrorpc.ErrHangUp, err)
	}
	known := s.streams[m.Stream]
	if known == nil {
		return receipt(protocol.Receipt{Status: protocol.UnknownStream, Reason: "say hello with it first"}), nil
	}
	if known.refused != "" {
		return s.answer(known, protocol.Refused, errors.New(known.refused)), nil
	}
	if err := s.take(ctx, known.tracked, &m); err != nil {
		return s.failed(known, err)
	}
	rng := m.Range
	s.note(s.host, func(h *Host) { h.Batches++; h.Lines += int64(m.Lines); h.Bytes += rng.Len() })
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

// errRefused is a batch that will not be taken as it is.
var errRefused = errors.New("refused")

// take decodes a body and appends it.
func (s *session) take(ctx context.Context, t *checkpoint.Stream, m *protocol.Batch) error {
	if m.Range.Len() > MaxBodyBytes || m.Range.End > schema.MaxOffset {
		return fmt.Errorf("%w: a batch %v; %d bytes are taken at a time, up to %d", errRefused, m.Range, MaxBodyBytes, int64(schema.MaxOffset))
	}
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
	return s.cfg.Collector.Append(ctx, t, schema.Batch{Stream: &t.Stream, Range: m.Range, Data: data, Lines: m.Lines})
}

// failed answers a batch that was not taken.
func (s *session) failed(known *said, err error) (avrorpc.Finisher, error) {
	switch {
	case errors.Is(err, ingest.ErrBusy):
		s.note(s.host, func(h *Host) { h.Busy++ })
		return s.answer(known, protocol.Busy, err), nil
	case errors.Is(err, errRefused):
		s.note(s.host, func(h *Host) { h.Refused++ })
		return s.answer(known, protocol.Refused, err), nil
	}
	return nil, err // the collector ends: the agent comes again
}

// answer is a receipt with the stream's position as it is when it is sent.
func (s *session) answer(known *said, status protocol.Status, why error) avrorpc.Finisher {
	r := protocol.Receipt{Status: status}
	if why != nil {
		r.Reason = why.Error()
		r.Reason = r.Reason[:min(len(r.Reason), protocol.MaxStringBytes)]
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) {
		if known.tracked != nil {
			p := s.cfg.Collector.Position(known.tracked, 0)
			r.Received, r.Stored = p.Received, p.Stored
		}
		return r.Append(b), nil
	})
}

func receipt(r protocol.Receipt) avrorpc.Finisher {
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return r.Append(b), nil })
}

// status takes a heartbeat and tells what changed.
func (s *session) status(params []byte) (avrorpc.Finisher, error) {
	if err := s.beat.Decode(params); err != nil {
		return nil, fmt.Errorf("%w: heartbeat: %w", avrorpc.ErrHangUp, err)
	}
	missed := true
	if first, said := s.beat.Counters[protocol.FirstChoice]; said {
		missed = first != 0
	}
	if s.cfg.Checkpoint.Expect(s.host, missed) { // once in a host's life
		if err := s.cfg.Checkpoint.Save(); err != nil {
			s.cfg.Log.Warn("which hosts are missed when they are silent cannot be saved; it is with the next position", "error", err)
		}
	}
	s.note(s.host, func(h *Host) {
		if len(s.beat.Streams) > 0 {
			h.OldestUnreadMs = oldest(s.beat.Streams)
		}
		h.Beat, h.BeatAt, h.Missed = s.beat, h.Seen, missed
		h.Beat.Streams = nil
	})
	var d protocol.Directive
	for id, x := range s.streams {
		if x.tracked == nil || len(d.Positions) == protocol.MaxStreams {
			continue
		}
		if p := s.cfg.Collector.Position(x.tracked, 0); p != x.told {
			x.told = p
			d.Positions = append(d.Positions, protocol.Position{Stream: id, Received: p.Received, Stored: p.Stored})
		}
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return d.Append(b), nil }), nil
}

// oldest is when the oldest unread byte was written, 0 where there is none.
func oldest(streams []protocol.Progress) (ms int64) {
	for _, p := range streams {
		if p.OldestUnreadMs > 0 && (ms == 0 || p.OldestUnreadMs < ms) {
			ms = p.OldestUnreadMs
		}
	}
	return ms
}
