package receiver

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/flume"
	"sluice/schema"
)

const (
	// flumeWait is the default of Config.FlumeWait. Flume's own request timeout is 20 s.
	flumeWait = 10 * time.Second
	// maxRunBytes is the limit of bytes of one file's events that are stored at a time.
	maxRunBytes = 4 << 20
	// maxCursors is the limit of files of which a connection knows the current stream. When it is
	// reached all are forgotten, and found again by comparing the next events.
	maxCursors = 10_000
)

// FlumeService returns the service for Flume's Avro sinks.
func (r *Receiver) FlumeService() avrorpc.Service {
	return flume.Service(func(_ context.Context, peer avrorpc.Peer) (flume.Receiver, error) {
		return &flumeSession{Receiver: r, peer: peer, at: map[place]cursor{}, hosts: map[string]bool{}}, nil
	})
}

// flumeSession is one connection of a Flume agent. Receive is called by one goroutine.
type flumeSession struct {
	*Receiver
	peer  avrorpc.Peer
	at    map[place]cursor
	hosts map[string]bool
	last  place // of the last event, because most events come from the same file
}

// run is a sequence of consecutive lines of one place.
type run struct {
	place       place
	start, next int64 // of lines that have an offset
	lines       int64
	data        []byte
}

// taken is a range that was appended and may not be on disk yet.
type taken struct {
	stream *checkpoint.Stream
	schema.Range
}

// Receive implements flume.Receiver.
func (s *flumeSession) Receive(ctx context.Context, events *flume.Events) (func(context.Context) error, error) {
	waiting, cancel := context.WithTimeout(ctx, s.cfg.FlumeWait)
	defer cancel()
	x := s.runs.Get().(*run)
	defer s.release(x)
	var all []taken
	var e flume.Event
	for more := true; more; {
		var p place
		var start int64
		if more = events.Next(&e); more {
			var err error
			if p, start, err = s.placeOf(&e); err != nil {
				return nil, s.refused(err)
			}
		}
		if x.lines > 0 && (p != x.place || !p.counted && start != x.next || len(x.data)+len(e.Body) > maxRunBytes) {
			t, err := s.store(waiting, x)
			if err != nil {
				return nil, s.busy(ctx, x.place.host, err)
			}
			all = append(all, t)
		}
		if more {
			x.add(p, start, e.Body)
		}
	}
	return func(ctx context.Context) error {
		for _, t := range all {
			if err := s.cfg.Collector.Sync(ctx, t.stream, t.Range); err != nil {
				return s.busy(ctx, t.stream.Host, err)
			}
		}
		return nil
	}, nil
}

// release returns a run and its memory to the pool.
func (r *Receiver) release(x *run) {
	if x.reset(); cap(x.data) > keptRoomBytes {
		x.data = nil
	}
	r.runs.Put(x)
}

func (x *run) reset() { *x = run{data: x.data[:0]} }

func (x *run) add(p place, start int64, body []byte) {
	if x.lines == 0 {
		x.place, x.start = p, start
	}
	x.data = append(append(x.data, body...), '\n')
	x.next = start + int64(len(body)) + 1
	x.lines++
}

// store appends a run to the collector's spool.
func (s *flumeSession) store(ctx context.Context, x *run) (taken, error) {
	was, known := s.at[x.place]
	at, rng, err := s.put(ctx, x.place, was, x.start, x.data)
	if err != nil {
		return taken{}, err
	}
	if at.stream != was.stream {
		if len(s.at) >= maxCursors {
			s.forgetCursors()
			known = false
		}
		s.mu.Lock()
		if known {
			s.leave(was.stream)
		}
		s.live[at.stream.ID]++
		s.mu.Unlock()
	}
	s.at[x.place] = at
	lines, bytes := x.lines, int64(len(x.data))
	s.note(x.place.host, func(h *Host) { h.Batches++; h.Lines += lines; h.Bytes += bytes })
	x.reset()
	return taken{at.stream, rng}, nil
}

// leave counts down the sessions that use a stream. r.mu must be held.
func (r *Receiver) leave(t *checkpoint.Stream) {
	if r.live[t.ID]--; r.live[t.ID] == 0 {
		delete(r.live, t.ID)
	}
}

// placeOf returns the file and the offset of an event. An event without a file or with an invalid
// offset is numbered in the order of arrival.
func (s *flumeSession) placeOf(e *flume.Event) (p place, start int64, err error) {
	header, file := e.Header(flume.HeaderHost), e.Header(flume.HeaderFile)
	host := s.last.host
	if host == "" || string(header) != host {
		if host, err = s.hostOf(header); err != nil {
			return p, 0, err
		}
	}
	start, bad := strconv.ParseInt(string(e.Header(flume.HeaderByteOffset)), 10, 64)
	counted := bad != nil || len(file) == 0 || start < 0 || start > schema.MaxOffset-int64(len(e.Body))-1
	if host != s.last.host || string(file) != s.last.file || counted != s.last.counted {
		s.last = place{host, string(file), counted}
	}
	return s.last, start, nil
}

// hostOf returns the checked host name of an event: its header, or else the name in the peer's
// certificate, or else its address.
func (s *flumeSession) hostOf(header []byte) (string, error) {
	host := string(header)
	if host == "" {
		if host = strings.ReplaceAll(s.peer.Address.Addr().String(), ":", "-"); len(s.peer.Names) > 0 {
			host = s.peer.Names[0]
		}
	}
	if s.hosts[host] {
		return host, nil
	}
	name, err := hostNamed(avrorpc.Peer{TLS: len(s.peer.Names) > 0, Names: s.peer.Names}, host)
	if err != nil {
		return "", fmt.Errorf("%w (Flume's host interceptor says the name with useIP = false)", err)
	}
	if host = name; s.hosts[host] {
		return host, nil
	}
	if len(s.hosts) >= maxHosts {
		return "", fmt.Errorf("this connection has sent events of %d hosts, the limit", maxHosts)
	}
	if !s.room(host) {
		return "", fmt.Errorf("%d hosts have connected, the limit", maxHosts)
	}
	s.hosts[host] = true
	s.note(host, func(h *Host) {
		h.Agent = "flume"
		h.Connections++
	})
	return host, nil
}

// refused logs that events were rejected.
func (s *flumeSession) refused(err error) error {
	s.cfg.Log.Warn("Flume events rejected, Flume keeps and resends them", "peer", s.peer.Address, "err", err)
	return err
}

// busy counts events that are rejected for now, and which Flume sends again.
func (s *flumeSession) busy(ctx context.Context, host string, err error) error {
	if ctx.Err() == nil {
		s.note(host, func(h *Host) { h.Busy++ })
	}
	s.cfg.Log.Debug("Flume events deferred, Flume resends them", "host", host, "err", err)
	return err
}

// Close implements flume.Receiver.
func (s *flumeSession) Close() {
	for host := range s.hosts {
		s.change(host, func(h *Host) { h.Connections-- })
	}
	s.forgetCursors()
}

func (s *flumeSession) forgetCursors() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.at {
		s.leave(at.stream)
	}
	clear(s.at)
}
