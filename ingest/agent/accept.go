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
// too high a one would count lines as stored that are not. A position that cannot be checked, because
// no log has the bytes any more, is neither accepted nor reported as wrong; it counts when a log is
// gone without a copy (claims), for then no line of it can be sent again.

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
	unknown compared = iota // no log has the bytes
	same
	other
)

// compare compares a collector's fingerprint with what was sent up to the same position, or with
// what an earlier process recorded there, or else with the log file.
func (s *session) compare(t *checkpoint.Stream, tail protocol.Tail, sent map[ending]protocol.Tail) compared {
	if sent, ok := sent[ending{t.ID, tail.At}]; ok && sent.Length == tail.Length {
		if sent.Hash == tail.Hash {
			return same
		}
		return other
	}
	if at, hash, length := s.cfg.Checkpoint.Fingerprints.Tail(t); at == tail.At && length == tail.Length {
		if hash == tail.Hash {
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
	limit, claimed := max(own, s.window.acked(t.ID)), int64(0)
	if tail.At > own {
		result := s.compare(t, tail, sent)
		if result == other {
			return 0, errOther
		}
		if result == same {
			limit = max(limit, tail.At)
		}
		if claimed = min(p.Received, tail.At); claimed <= own {
			claimed = 0
		}
	}
	s.claimed.note(t.ID, claimed)
	s.mu.Lock()
	s.limits[t.ID] = max(limit, s.limits[t.ID])
	s.mu.Unlock()
	own = s.stored(p)
	_, ends := sent[ending{t.ID, p.Received}]
	if p.Received > own && p.Received <= limit && (ends || s.behindNewline(t, p.Received, limit) == same) {
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
		s.cfg.Tail.Repeats.Add(t.Path, s.cfg.Now())
		s.cfg.Log.Error("collector has other lines under this log's stream, sending the log as another stream", "path", t.Path, "stream", t.ID, "new_stream", forked.ID)
	}
	return errOther
}

// check returns same if a position that a collector reports as stored may be recorded, other if it
// is impossible, and unknown if it cannot be checked.
func (s *session) check(t *checkpoint.Stream, stored int64) compared {
	claimed, gone := s.claimed.of(t.ID), false
	s.cfg.Checkpoint.Update(func() { gone = t.GoneUnix != 0 })
	if stored <= claimed && gone {
		return same
	}
	s.mu.Lock()
	proved := s.limits[t.ID]
	s.mu.Unlock()
	if stored > max(proved, s.window.acked(t.ID)) {
		if stored <= claimed {
			return unknown
		}
		return other
	}
	return s.behindNewline(t, stored, proved)
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
	return p.Received > max(limit, s.cfg.Checkpoint.Stored(t), s.claimed.of(p.Stream))
}

// contested reports whether the collector rejected a batch although it already has lines at its
// position. These may be another log's lines; a hello finds out. It reports true once for each
// position, so that the agent does not send hellos forever.
func (s *session) contested(p *encodedBatch, received int64) bool {
	return received > p.Start && s.disputes.contest(ending{p.stream.ID, p.Start})
}

// behindNewline returns same if a position is the end of what was acknowledged or follows a newline
// in the log, other if it does not, and unknown if no log can be read. proved is the end of what the
// collector has proved to have.
func (s *session) behindNewline(t *checkpoint.Stream, position, proved int64) compared {
	if s.window.acked(t.ID) == position {
		return same
	}
	var b [1]byte
	n, err := s.cfg.Checkpoint.Logs.ReadAt(t, b[:], position-1)
	switch {
	case err != nil && position == proved: // the end of a batch
		return same
	case err != nil:
		return unknown
	case n < 1 || b[0] != '\n':
		return other
	}
	return same
}

// rejectPosition records and logs a position that failed the check; the last few are kept.
func (s *session) rejectPosition(t *checkpoint.Stream, p protocol.Position) {
	text := fmt.Sprintf("the collector says that %s is stored up to byte %d, which was not sent or is within a line: the position is ignored", t.Path, p.Stored)
	if s.disputes.rejectPosition(text) {
		s.cfg.Log.Error("collector claims an impossible position", "path", t.Path, "stream", t.ID, "offset", p.Stored)
	}
}
