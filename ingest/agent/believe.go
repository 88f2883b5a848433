package agent

import (
	"errors"
	"fmt"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// What a collector says of a stream is believed as far as it can be checked: a position
// must be behind a newline, and not beyond what this agent sent, or what the collector
// shows to have by a fingerprint of the bytes before it. The other mistake is the worse
// one: lines that count as stored and are not.

// errOther: the collector has other lines under a stream's id.
var errOther = errors.New("the collector has another log's lines under a log's id; the log is sent as a stream of its own")

// tailOf is the fingerprint of a batch's last bytes, as a collector makes it.
func tailOf(id schema.StreamID, data []byte, end int64) protocol.Tail {
	b := data[max(0, len(data)-protocol.MaxTailBytes):]
	return protocol.Tail{Stream: id, At: end, Length: len(b), Hash: checkpoint.TailHash(b)}
}

// compared is what a comparison of a collector's fingerprint with the log came to.
type compared int

const (
	unknown compared = iota // the log cannot be read
	same
	other
)

// compare compares a fingerprint with what was sent, or with the log.
func (s *session) compare(t *checkpoint.Stream, tail protocol.Tail, sent map[ending]protocol.Tail) compared {
	if sent, ok := sent[ending{t.ID, tail.At}]; ok && sent.Length == tail.Length {
		if sent.Hash == tail.Hash {
			return same
		}
		return other
	}
	b := make([]byte, tail.Length)
	n, err := s.cfg.Checkpoint.ReadAt(t, b, tail.At-int64(tail.Length))
	switch {
	case err != nil:
		return unknown
	case n < len(b) || checkpoint.TailHash(b) != tail.Hash:
		return other
	}
	return same
}

// believe returns from where a stream is to be sent, by what a collector says in a
// welcome, and takes what it has stored. sent are the fingerprints of what was sent.
func (s *session) believe(t *checkpoint.Stream, p protocol.Position, tail protocol.Tail, sent map[ending]protocol.Tail) (from int64, err error) {
	own := s.cfg.Checkpoint.Stored(t)
	limit := max(own, s.window.acked(t.ID))
	if tail.At > own {
		switch s.compare(t, tail, sent) {
		case other:
			return 0, errOther
		case same:
			limit = max(limit, tail.At)
		}
	}
	s.mu.Lock()
	s.limits[t.ID] = max(limit, s.limits[t.ID])
	s.mu.Unlock()
	own = s.stored(p)
	_, ends := sent[ending{t.ID, p.Received}]
	if p.Received > own && p.Received <= limit && (ends || s.behindNewline(t, p.Received)) {
		return p.Received, nil
	}
	return max(own, min(p.Received, s.window.acked(t.ID))), nil
}

// fork makes streams of their own of logs that a collector has others under the ids of.
func (s *session) fork(streams []*checkpoint.Stream) error {
	for _, t := range streams {
		forked, err := s.cfg.Checkpoint.Fork(t)
		if err != nil {
			return err
		}
		s.agent.noteForked()
		s.cfg.Log.Error("collector has other lines under this log's stream, sending the log as another stream", "path", t.Path, "stream", t.ID, "new_stream", forked.ID)
	}
	return errOther
}

// believable reports whether a position may be taken as stored.
func (s *session) believable(t *checkpoint.Stream, stored int64) bool {
	s.mu.Lock()
	limit := s.limits[t.ID]
	s.mu.Unlock()
	return stored <= max(limit, s.window.acked(t.ID)) && s.behindNewline(t, stored)
}

// beyond reports whether a collector has more of a stream than it was sent.
func (s *session) beyond(p protocol.Position) bool {
	t := s.named(p.Stream)
	if t == nil {
		return false
	}
	s.mu.Lock()
	limit := max(s.limits[p.Stream], s.sent[p.Stream])
	s.mu.Unlock()
	return p.Received > max(limit, s.cfg.Checkpoint.Stored(t))
}

// contested reports whether a batch is refused though the collector has lines in its
// place: they are somebody else's, which a hello finds out. It is asked once a place.
func (s *session) contested(p *parcel, received int64) bool {
	return received > p.Start && s.agent.noteContested(ending{p.stream.ID, p.Start})
}

// behindNewline reports whether a position is the end of what was acknowledged, or is
// behind a newline in the log.
func (s *session) behindNewline(t *checkpoint.Stream, position int64) bool {
	if s.window.acked(t.ID) == position {
		return true
	}
	var b [1]byte
	n, err := s.cfg.Checkpoint.ReadAt(t, b[:], position-1)
	return err == nil && n == 1 && b[0] == '\n'
}

// distrust notes a position that was not believed; the last few are kept.
func (s *session) distrust(t *checkpoint.Stream, p protocol.Position) {
	text := fmt.Sprintf("the collector says that %s is stored up to byte %d, which was not sent or is within a line: it is not believed", t.Path, p.Stored)
	if s.agent.noteDistrusted(text) {
		s.cfg.Log.Error("collector claims an impossible position", "path", t.Path, "stream", t.ID, "offset", p.Stored)
	}
}
