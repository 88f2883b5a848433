package receiver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/segment"
	"sluice/schema"
)

// hello registers the host and its streams. Nothing is written to disk, because a segment describes
// its own streams.
func (s *session) hello(ctx context.Context, params []byte) (avrorpc.Finisher, error) {
	var hello protocol.Hello
	if err := hello.Decode(params); err != nil {
		return nil, fmt.Errorf("%w: hello: %w", avrorpc.ErrHangUp, err)
	}
	host, err := s.mayWrite(hello.Host)
	if err != nil {
		return nil, err
	}
	if !s.room(host) {
		return nil, fmt.Errorf("%w: %d hosts have connected, the limit", avrorpc.ErrHangUp, maxHosts)
	}
	if err := s.mayName(host, hello.Streams); err != nil {
		return nil, fmt.Errorf("%w: %w", avrorpc.ErrHangUp, err)
	}
	first := s.host == ""
	s.host = host
	s.note(s.host, func(h *Host) {
		h.Agent = cut(hello.Agent, maxAgentBytes)
		s.turns = h.turns
		s.spoke(h)
		h.Issued, h.Expires = s.peer.Issued, s.peer.Expires
		if first {
			h.Connections++
			s.liveness.greeted(s.cfg.Now())
			h.sessions[s] = true
		}
	})
	welcome := protocol.Welcome{Collector: s.cfg.Checkpoint.Collector(), MaxBatchBytes: s.batchBytes(), Compressions: []protocol.Compression{protocol.None, protocol.Zstd, protocol.S2}}
	wrong, err := s.checkAll(ctx, hello.Streams)
	if err != nil {
		return nil, err
	}
	s.noteSpelling(hello.Host)
	s.declareAll(hello.Host, hello.Streams, wrong)
	for i := range hello.Streams {
		x := &hello.Streams[i]
		known := s.streams[x.ID]
		if known.tracked == nil {
			continue
		}
		known.claimed = max(known.claimed, x.Stored)
		known.reported = s.cfg.Collector.Position(known.tracked, known.claimed)
		known.offered = max(known.offered, known.reported.Received)
		if known.reported.Received > known.reported.Stored {
			s.active[x.ID] = known
		}
		welcome.Positions = append(welcome.Positions, protocol.Position{Stream: x.ID, Received: known.reported.Received, Stored: known.reported.Stored})
		if at, hash, length := s.cfg.Checkpoint.Fingerprints.Tail(known.tracked); length > 0 {
			welcome.Tails = append(welcome.Tails, protocol.Tail{Stream: x.ID, At: at, Length: length, Hash: hash})
		}
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return welcome.Append(b), nil }), nil
}

// batchBytes is the batch size that a sender is asked for.
func (r *Receiver) batchBytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return min(max(sharedBatchBytes/max(len(r.hosts), 1), minBatchBytes), maxBatchBytes)
}

// maxSpellings is how many spellings of its name an honest host may have: the certificate's, and
// that of a flag.
const maxSpellings = 4

// noteSpelling records a spelling of the host's name that differs from the certificate's.
func (s *session) noteSpelling(spelled string) {
	if spelled == s.host {
		return
	}
	many := false
	s.note(s.host, func(h *Host) {
		if h.spellings == nil {
			h.spellings = map[string]bool{}
		}
		if many = len(h.spellings) >= maxSpellings && !h.spellings[spelled]; !many {
			h.spellings[spelled] = true
		}
	})
	if many {
		s.fault(s.host, "spelling", fmt.Sprintf("it spells its name in more than %d ways, the last one %.100q; they all count as one host", maxSpellings, spelled))
	}
}

// mayWrite returns the name of the host whose streams this peer may write, as the certificate
// spells it.
func (s *session) mayWrite(host string) (string, error) {
	name, err := hostNamed(s.peer, host)
	if err != nil {
		return "", err
	}
	if s.host != "" && s.host != name {
		return "", fmt.Errorf("this connection is host %s's, not %s's", s.host, name)
	}
	return name, nil
}

// hostNamed checks the host name that a peer reports. With TLS the name must be in the certificate,
// and the certificate's spelling is returned, so that one host always has one name.
func hostNamed(peer avrorpc.Peer, host string) (string, error) {
	if err := segment.CheckHost(host); err != nil {
		return "", err
	}
	if !peer.TLS {
		return host, nil
	}
	for _, name := range peer.Names {
		if SameName(name, host) {
			return name, segment.CheckHost(name)
		}
	}
	return "", fmt.Errorf("the certificate is for %q, so it may not write streams of host %s", peer.Names, host)
}

// SameName compares names as DNS does: ASCII case and a final dot make no difference.
// strings.EqualFold is not used because it also folds other characters: U+212A equals k.
func SameName(a, b string) bool {
	a, b = strings.TrimSuffix(a, "."), strings.TrimSuffix(b, ".")
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// mayName limits the streams that are named by one host's connections, and by all connections.
func (s *session) mayName(host string, streams []protocol.Stream) error {
	fresh := map[schema.StreamID]bool{}
	for i := range streams {
		if s.streams[streams[i].ID] == nil {
			fresh[streams[i].ID] = true
		}
	}
	s.prune()
	q := s.cfg.Quota
	s.mu.Lock()
	defer s.mu.Unlock()
	named := len(fresh)
	if h := s.hosts[host]; h != nil {
		named += h.named
	}
	if named > 2*q.HostStreams {
		return fmt.Errorf("connections of host %s name %d streams, the limit is %d", host, named, 2*q.HostStreams)
	}
	if s.named+len(fresh) > 2*q.Streams {
		return fmt.Errorf("all connections together name %d streams, the limit", s.named)
	}
	return nil
}

// prune drops streams of this connection that the checkpoint has forgotten.
func (s *session) prune() {
	if len(s.streams) < s.cfg.Quota.HostStreams {
		return
	}
	for id, x := range s.streams {
		if x.tracked != nil && s.cfg.Checkpoint.Stream(x.tracked.ID) != x.tracked {
			s.forgetStream(id, x)
		}
	}
}

// forgetStream drops one such stream.
func (s *session) forgetStream(id schema.StreamID, x *namedStream) {
	delete(s.streams, id)
	delete(s.active, id)
	s.change(s.host, func(h *Host) {
		h.named--
		s.named--
		s.leave(x.tracked)
	})
}

// declareAll adds streams to the checkpoint, except those in wrong; spelled is the host's name as
// the sender spells it.
func (s *session) declareAll(spelled string, streams []protocol.Stream, wrong map[int]error) {
	s.declaring.Lock()
	defer s.declaring.Unlock()
	for i := range streams {
		x := &streams[i]
		known := s.streams[x.ID]
		had := known != nil && known.tracked != nil
		if known == nil {
			known = new(namedStream)
			s.streams[x.ID] = known
			s.note(s.host, func(h *Host) { h.named++; s.named++ })
		}
		if err := s.declare(known, spelled, x, wrong[i]); err != nil {
			known.refused = cut(err.Error(), maxReasonBytes)
			kind := "stream"
			if errors.Is(err, checkpoint.ErrQuota) {
				kind = "streams"
			}
			s.fault(s.host, kind, fmt.Sprintf("stream %.100q refused: %s", x.Path, known.refused))
			if had { // its batches are rejected from now on, but the stream is still in use
				continue
			}
		}
		if !had && known.tracked != nil {
			s.mu.Lock()
			s.live[known.tracked.ID]++
			s.mu.Unlock()
		}
	}
}

func (s *session) declare(known *namedStream, spelled string, x *protocol.Stream, wrong error) error {
	known.refused = ""
	entry := schema.StreamEntry{Stream: schema.Stream{ID: x.ID, Host: s.host, Path: x.Path, Format: x.Format, Zone: x.Zone}, Labels: x.Labels}
	if wrong != nil {
		return wrong
	}
	if err := segment.CheckEntry(entry.Stream, entry.Labels); err != nil {
		return err
	}
	// A host's stream id may be made of another spelling of its name than the certificate's.
	seeded := len(x.Seed) == len(schema.StreamSeed{})
	own := seeded && schema.StreamSeed(x.Seed).ID(spelled) == x.ID
	if seeded && !own {
		s.fault(s.host, "foreign", fmt.Sprintf("it names stream %s of %.100q, whose id is not one of this host's: what it sends for it is stored under another id", x.ID, x.Path))
	}
	tracked, err := s.enter(entry, own)
	if err == nil && known.tracked != tracked {
		known.tracked = tracked
	}
	return err
}

// enter adds a stream to the checkpoint. If its host has too many, it first forgets those that are
// stored completely and were idle for the longest time. r.declaring must be held.
func (r *Receiver) enter(entry schema.StreamEntry, own bool) (*checkpoint.Stream, error) {
	now := r.cfg.Now()
	t, err := r.cfg.Checkpoint.Declared.Declare(entry, own, now)
	if !errors.Is(err, checkpoint.ErrQuota) {
		return t, err
	}
	if !r.evict(entry.Host, now) {
		return nil, err
	}
	return r.cfg.Checkpoint.Declared.Declare(entry, own, now)
}

// idleBefore is how long a stream must be idle before it can be forgotten for another: longer than
// a batch may be in flight.
const idleBefore = time.Minute

// evictAgain is the pause before idle streams are searched again for a host that had none. A search
// looks at all streams of the host, and a hello may name thousands too many.
const evictAgain = 10 * time.Second

// evict forgets up to a tenth of the streams that a host may have, the longest idle first. It
// reports whether there were any. r.declaring must be held.
func (r *Receiver) evict(host string, now time.Time) bool {
	if last, looked := r.evicted[host]; looked && now.Sub(last) < evictAgain && !now.Before(last) {
		return false
	}
	idle := r.cfg.Checkpoint.Declared.Idle(host, now.Add(-idleBefore))
	idle = r.stored(idle)
	idle = idle[:min(len(idle), max(1, r.cfg.Quota.HostStreams/10))]
	if len(idle) == 0 {
		r.evicted[host] = now
		return false
	}
	delete(r.evicted, host)
	r.forgetAll(idle)
	return true
}

// stored returns the streams without those that have lines in the spool.
func (r *Receiver) stored(streams []*checkpoint.Stream) (stored []*checkpoint.Stream) {
	held := r.cfg.Collector.Held()
	for _, t := range streams {
		if !held[t.ID] {
			stored = append(stored, t)
		}
	}
	return stored
}

func (r *Receiver) forgetAll(streams []*checkpoint.Stream) {
	old := make(map[*checkpoint.Stream]bool, len(streams))
	for _, t := range streams {
		old[t] = true
	}
	r.cfg.Checkpoint.Forget(func(t *checkpoint.Stream) bool { return old[t] })
}
