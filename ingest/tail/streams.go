package tail

import (
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// streams knows how far streams are read whose files are gone, and what was lost.
type streams struct {
	*env
	positions map[schema.StreamID]int64 // how far this process read them
	missing   []*checkpoint.Stream      // whose files are not found
	atStart   []*checkpoint.Stream      // those that were known before this process
}

// position is from where a stream is read on: from where this life got to, where
// it read it.
func (st *streams) position(s *checkpoint.Stream) int64 {
	if read, ok := st.positions[s.ID]; ok {
		return read
	}
	return st.cfg.Position(s)
}

// lost counts what was deleted or cut off before it was read.
func (st *streams) lost(f *file, bytes int64) {
	if bytes <= 0 {
		return
	}
	s := f.stream
	st.cfg.Checkpoint.Update(func() { s.LostBytes += bytes })
	st.addLoss(checkpoint.Loss{Path: f.path(), Stream: s.ID, From: f.read, Bytes: bytes})
	st.cfg.Log.Error("lines deleted before they were read, lines lost", "path", f.path(), "stream", s.ID, "offset", f.read, "bytes", bytes)
}

// finishedFor: a log that was quiet for so long while others grew was finished.
const finishedFor = 24 * time.Hour

// notFound notes that a log is gone, with no copy of it. If it was still written when
// it was seen last, the number of its lines that were not read is unknown.
func (st *streams) notFound(s *checkpoint.Stream) {
	position := st.position(s)
	unread := max(0, s.SeenBytes-s.LostBytes-position)
	deleted := s.GoneUnix != 0 // while it was followed
	st.cfg.Checkpoint.Update(func() { s.GoneUnix = st.now.Unix() })
	if unread > 0 || !deleted && st.wasWritten(s) {
		st.unknown(s, position, unread)
	}
}

// wasWritten reports whether a log that is gone was written by a server when it was
// seen last: it had grown of late, and no other log had its name after it.
func (st *streams) wasWritten(s *checkpoint.Stream) bool {
	later, newest := false, int64(0)
	for _, o := range st.atStart {
		if o.Host != s.Host {
			continue
		}
		later = later || o.Path == s.Path
		if o == s {
			later = false // what came before it does not count
		}
		newest = max(newest, o.GrownUnix)
	}
	return !later && s.GrownUnix > 0 && newest-s.GrownUnix < int64(finishedFor/time.Second)
}

// unknown notes that what a log held from a position on was not read, and that nobody
// knows how much it was.
func (st *streams) unknown(s *checkpoint.Stream, from, unread int64) {
	st.cfg.Checkpoint.Update(func() { s.LostBytes += unread })
	st.addLoss(checkpoint.Loss{Path: s.Path, Stream: s.ID, From: from, Bytes: unread, Unknown: true})
	st.cfg.Log.Error("log was replaced or deleted while it was not followed, no copy of it was found", "path", s.Path, "stream", s.ID, "offset", from, "unread_bytes_at_least", unread)
}
