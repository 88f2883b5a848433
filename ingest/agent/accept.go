package agent

import (
	"errors"
	"fmt"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// Positions that a collector reports are checked before they are used. A position must be after a
// newline, and not beyond what this agent has sent, or the collector must prove by a fingerprint of
// the bytes before it that it has these lines. Too low a position only costs sending lines again;
// too high a one would count lines as stored that are not.

// errOther means that the collector has another log's lines under a stream's id.
var errOther = errors.New("the collector has another log's lines under a log's id; the log is sent as a stream of its own")

// tailOf returns the fingerprint of a batch's last bytes, made as a collector makes it.
func tailOf(id schema.StreamID, data []byte, end int64) protocol.Tail {
	b := data[max(0, len(data)-protocol.MaxTailBytes):]
	return protocol.Tail{Stream: id, At: end, Length: len(b), Hash: checkpoint.TailHash(b)}
}

// compared is the result of comparing a collector's fingerprint with the log.
type compared int

const (
	unknown compared = iota // the log cannot be read
	same
	other
)

// compare compares a collector's fingerprint with what was sent up to the same position, or else
// with the log file.
func (s *session) compare(t *checkpoint.Stream, tail protocol.Tail, sent map[ending]protocol.Tail) compared {
	if sent, ok := sent[ending{t.ID, tail.At}]; ok && sent.Length == tail.Length {
		if sent.Hash == tail.Hash {
			return same
		}
		return other
	}
	b := make([]byte, tail.Length)
	n, err := s.cfg.Checkpoint.Logs.ReadAt(t, b, tail.At-int64(tail.Length))
	switch {
	case err != nil:
		return unknown
	case n < len(b) || checkpoint.TailHash(b) != tail.Hash:
		return other
	}
	return same
}

// acceptPosition returns the position from which a stream must be sent, given the position and the
// fingerprint in a welcome, and records what is stored. sent are the fingerprints of the batches
// sent so far. It returns errOther if the collector has other lines.
func (s *session) acceptPosition(t *checkpoint.Stream, p protocol.Position, tail protocol.Tail, sent map[ending]protocol.Tail) (from int64, err error) {
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

// fork gives each of the logs a new stream, because the collector has other lines under their
// present ids.
func (s *session) fork(streams []*checkpoint.Stream) error {
	for _, t := range streams {
		forked, err := s.cfg.Checkpoint.Fork(t)
		if err != nil {
			return err
		}
		s.disputes.fork()
		s.cfg.Log.Error("collector has other lines under this log's stream, sending the log as another stream", "path", t.Path, "stream", t.ID, "new_stream", forked.ID)
	}
	return errOther
}

// acceptable reports whether a position that a collector reports as stored may be recorded.
func (s *session) acceptable(t *checkpoint.Stream, stored int64) bool {
	s.mu.Lock()
	limit := s.limits[t.ID]
	s.mu.Unlock()
	return stored <= max(limit, s.window.acked(t.ID)) && s.behindNewline(t, stored)
}

// beyond reports whether a collector has more of a stream than this agent has sent.
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

// contested reports whether the collector rejected a batch although it already has lines at its
// position. These may be another log's lines; a hello finds out. It reports true once for each
// position, so that the agent does not send hellos forever.
func (s *session) contested(p *encodedBatch, received int64) bool {
	return received > p.Start && s.disputes.contest(ending{p.stream.ID, p.Start})
}

// behindNewline reports whether a position is the end of what was acknowledged, or follows a
// newline in the log.
func (s *session) behindNewline(t *checkpoint.Stream, position int64) bool {
	if s.window.acked(t.ID) == position {
		return true
	}
	var b [1]byte
	n, err := s.cfg.Checkpoint.Logs.ReadAt(t, b[:], position-1)
	return err == nil && n == 1 && b[0] == '\n'
}

// rejectPosition records and logs a position that failed the check; the last few are kept.
func (s *session) rejectPosition(t *checkpoint.Stream, p protocol.Position) {
	text := fmt.Sprintf("the collector says that %s is stored up to byte %d, which was not sent or is within a line: the position is ignored", t.Path, p.Stored)
	if s.disputes.rejectPosition(text) {
		s.cfg.Log.Error("collector claims an impossible position", "path", t.Path, "stream", t.ID, "offset", p.Stored)
	}
}
