package tail

import (
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// streams tracks the positions of streams whose files are gone, and what was lost.
type streams struct {
	*env
	positions map[schema.StreamID]int64 // up to where this process read them
	missing   []*checkpoint.Stream      // whose files were not found
	atStart   []*checkpoint.Stream      // those that existed before this process
}

// position returns the position from which a stream must be read: the one that this process has
// reached, or else the configured one.
func (st *streams) position(s *checkpoint.Stream) int64 {
	if read, ok := st.positions[s.ID]; ok {
		return read
	}
	return st.cfg.Position(s)
}

// lost counts bytes that were deleted or truncated before they were read.
func (st *streams) lost(f *file, bytes int64) {
	if bytes <= 0 {
		return
	}
	s := f.stream
	st.addLoss(checkpoint.Loss{Path: f.path(), Stream: s.ID, From: f.read, Bytes: bytes}, func() { s.LostBytes += bytes })
	st.cfg.Log.Error("lines deleted before they were read, lines lost", "path", f.path(), "stream", s.ID, "offset", f.read, "bytes", bytes)
}

// finishedFor is how long a log must have been quiet, while others grew, to count as finished.
const finishedFor = 24 * time.Hour

// notFound records that a log is gone without a copy. If it was still written when it was last
// seen, the number of unread lines is unknown. What the collector has is not lost.
func (st *streams) notFound(s *checkpoint.Stream) {
	from := max(st.position(s), st.cfg.Received(s))
	unread := max(0, s.SeenBytes-s.LostBytes-from)
	deleted := s.GoneUnix != 0 // while it was followed
	gone := func() { s.GoneUnix = st.now.Unix() }
	if written := !deleted && st.wasWritten(s); unread > 0 || written {
		st.unknown(checkpoint.Loss{Path: s.Path, Stream: s.ID, From: from, Bytes: unread, Unknown: true, Finished: !written}, gone, s)
		return
	}
	st.cfg.Checkpoint.Update(gone)
}

// wasWritten reports whether a log that is gone was still written when it was last seen: it had
// grown recently, and no later log had its name.
func (st *streams) wasWritten(s *checkpoint.Stream) bool {
	later, newest := false, int64(0)
	for _, o := range st.atStart {
		if o.Host != s.Host {
			continue
		}
		later = later || o.Path == s.Path
		if o == s {
			later = false // an earlier log of that name does not count
		}
		newest = max(newest, o.GrownUnix)
	}
	return !later && s.GrownUnix > 0 && newest-s.GrownUnix < int64(finishedFor/time.Second)
}

// unknown records that the bytes of a log from a position on were not read, and that their number
// is unknown, and that it is gone.
func (st *streams) unknown(l checkpoint.Loss, gone func(), s *checkpoint.Stream) {
	st.addLoss(l, func() {
		gone()
		s.LostBytes += l.Bytes
	})
	st.cfg.Log.Error("log was replaced or deleted while it was not followed, no copy of it was found", "path", l.Path, "stream", l.Stream, "offset", l.From, "unread_bytes_at_least", l.Bytes)
}
