package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
)

const (
	// streamsAHello is the limit of streams in one hello, and helloBytes of their paths, formats
	// and labels, because the size of a frame is limited.
	streamsAHello = 1000
	helloBytes    = 256 << 10
	// refusedAgain is the time after which a rejected stream is offered again; the cause may have
	// been corrected at the collector.
	refusedAgain = 5 * time.Minute
)

// session is one connection to a collector, beginning with hello. State that is kept longer belongs
// to the parts of env, and to the reader.
type session struct {
	*env
	reader    *reader
	reporter  *reporter
	client    *avrorpc.Client
	collector string // its address
	preferred bool   // the collector is this host's first choice
	began     time.Time
	pacing    *pacing
	departure departure
	claimed   *claims // what the collector reported in this session; env.claims is kept longer

	// mu guards the fields below. It is released before a lock of another part is taken.
	mu        sync.Mutex
	announced map[schema.StreamID]*checkpoint.Stream
	as        map[schema.StreamID]schema.StreamEntry // how the collector was asked to parse each of them
	// limits are the positions up to which the collector has proved to have each stream; reported
	// positions beyond that are rejected.
	limits map[schema.StreamID]int64
	sent   map[schema.StreamID]int64 // the greatest end that was sent
}

// runSession sends to the route's present collector until the connection breaks or something else
// is to be done; preferred is the collector to return to if the error is errPreferred.
func (s *sender) runSession(ctx context.Context, route *Route, connected func()) (preferred string, err error) {
	collector, presented := route.Present(), s.cfg.certificate()
	client, err := s.cfg.connect(ctx, collector)
	if err != nil {
		return "", err
	}
	defer client.Close() //nolint:errcheck // it returns nil
	x := s.newSession(client, route)
	if err := x.sayHello(ctx); err != nil {
		return "", err
	}
	s.connection.connected(collector, x.began)
	s.cfg.Log.Info("collector connected", "collector", collector)
	s.farewells.arrived(collector)
	defer s.farewells.left()
	connected()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return x.send(running) })
	group.Go(func() error { return x.beat(running) })
	group.Go(func() error { return s.awaitRenewal(running, collector, presented) })
	group.Go(func() (err error) {
		preferred, err = x.departure.await(running, func(ctx context.Context) (string, error) { return s.lookForPreferred(ctx, route) })
		return err
	})
	err = group.Wait()
	if errors.Is(err, errDrained) { // one more heartbeat, for what was stored meanwhile
		if last := x.heartbeat(ctx); last != nil {
			s.cfg.Log.Debug("last heartbeat failed", "err", last)
		}
	}
	return preferred, err
}

func (s *sender) newSession(client *avrorpc.Client, route *Route) *session {
	x := &session{
		env: s.env, reader: s.reader, reporter: s.reporter, client: client, collector: route.Present(), preferred: len(route.Preferred()) == 0, began: s.cfg.Now(), pacing: newPacing(s.cfg.Log),
		announced: map[schema.StreamID]*checkpoint.Stream{}, as: map[schema.StreamID]schema.StreamEntry{},
		limits: map[schema.StreamID]int64{}, sent: map[schema.StreamID]int64{}, claimed: newClaims(),
	}
	x.departure.session = x
	return x
}

// sayHello sends a hello with the streams that the collector may have, and lets each be sent from
// the position that the collector reports.
func (s *session) sayHello(ctx context.Context) error {
	known := func(id schema.StreamID) bool { return s.cfg.Checkpoint.Stream(id) != nil }
	s.window.keep(known)
	spans := s.window.spans()
	var streams []*checkpoint.Stream
	for _, t := range s.cfg.Checkpoint.Streams() {
		position, claimed := s.reader.position(t), s.claims.of(t.ID)
		s.cfg.Checkpoint.Update(func() {
			if t.Stored < t.SeenBytes-t.LostBytes || spans[t.ID].read > t.Stored || position > t.Stored || claimed > t.Stored {
				streams = append(streams, t)
			}
		})
	}
	from, err := s.hello(ctx, streams)
	if err != nil {
		return err
	}
	s.publishClaims()
	again := s.claims.readsAgain(s.window, s.cfg.Checkpoint)
	for _, t := range streams {
		x, ok := spans[t.ID]
		if !ok {
			p := s.reader.position(t)
			x = span{p, p}
		}
		if at, ok := from[t.ID]; ok && (at < x.acked || at > x.read) {
			again = true
		}
	}
	if again = s.disputes.readsAgain() || again; again {
		s.claims.owe(false)
		return s.reader.restart(ctx, from)
	}
	s.window.remove(func(p *encodedBatch) bool { return p.End <= from[p.stream.ID] })
	return nil
}

// hello sends streams, in several messages if needed, and returns the position from which each must
// be sent.
func (s *session) hello(ctx context.Context, streams []*checkpoint.Stream) (map[schema.StreamID]int64, error) {
	from := map[schema.StreamID]int64{}
	var others []*checkpoint.Stream
	for first := true; first || len(streams) > 0; first = false {
		h := protocol.Hello{Host: s.cfg.Tail.Host, Agent: s.cfg.Name}
		room := helloBytes
		for len(streams) > 0 && len(h.Streams) < streamsAHello && room > 0 {
			t := streams[0]
			streams = streams[1:]
			var as schema.StreamEntry
			s.cfg.Checkpoint.Update(func() {
				as = t.StreamEntry
				seed, _ := hex.DecodeString(t.Seed) // written by this program; an invalid one is sent as empty
				h.Streams = append(h.Streams, protocol.Stream{ID: t.ID, Seed: seed, Path: t.Path, Format: t.Format, Zone: t.Zone, Labels: t.Labels, Size: t.SeenBytes, Stored: t.Stored})
			})
			room -= len(t.Path) + len(t.Format)
			for name, value := range t.Labels {
				room -= len(name) + len(value)
			}
			s.mu.Lock()
			s.announced[t.ID], s.as[t.ID] = t, as
			s.mu.Unlock()
		}
		reply, err := s.client.Call(ctx, protocol.MessageHello, h.Append(nil), nil, nil)
		if err != nil {
			return nil, fmt.Errorf("say hello: %w", err)
		}
		var w protocol.Welcome
		if err := w.Decode(reply); err != nil {
			return nil, fmt.Errorf("welcome: %w", err)
		}
		if c := s.cfg.Compression; c != protocol.None && !slices.Contains(w.Compressions, c) {
			return nil, fmt.Errorf("collector %s does not accept batches compressed with %s", w.Collector, c)
		}
		s.share.ask(w.MaxBatchBytes)
		sent := s.window.tails()
		tails := map[schema.StreamID]protocol.Tail{}
		for _, tail := range w.Tails {
			tails[tail.Stream] = tail
		}
		for _, p := range w.Positions {
			t := s.named(p.Stream)
			if t == nil {
				continue
			}
			at, err := s.acceptPosition(t, p, tails[p.Stream], sent)
			if err != nil {
				others = append(others, t)
				continue
			}
			from[p.Stream] = at
		}
	}
	if len(others) > 0 {
		return from, s.fork(others)
	}
	return from, nil
}

// named returns a stream that was sent in a hello of this session, or nil.
func (s *session) named(id schema.StreamID) *checkpoint.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.announced[id]
}

// knows reports whether the collector knows how a stream is parsed now. The format of a log can
// change while it is followed, if the Apache configuration that it comes from changes.
func (s *session) knows(t *checkpoint.Stream) (known bool) {
	s.mu.Lock()
	announced, as := s.announced[t.ID] != nil, s.as[t.ID]
	s.mu.Unlock()
	if !announced {
		return false
	}
	s.cfg.Checkpoint.Update(func() {
		known = as.Format == t.Format && as.Zone == t.Zone && maps.Equal(as.Labels, t.Labels)
	})
	return known
}

// stored records the stored position of a stream in the checkpoint if it passes the check, and
// returns what the checkpoint has then.
func (s *session) stored(p protocol.Position) (stored int64) {
	t := s.named(p.Stream)
	if t == nil {
		return 0
	}
	if stored = s.cfg.Checkpoint.Stored(t); p.Stored <= stored {
		return stored
	}
	switch s.check(t, p.Stored) {
	case other:
		s.rejectPosition(t, p)
		return stored
	case unknown:
		return stored // the lines are sent again if a copy of the log is found
	}
	s.cfg.Checkpoint.Update(func() {
		t.Stored = max(t.Stored, p.Stored)
		stored = t.Stored
	})
	s.saver.changed()
	return stored
}
