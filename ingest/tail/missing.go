package tail

import (
	"path/filepath"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
)

// findMissing looks for the logs that the checkpoint knows and no listing shows:
// renamed, copied or compressed while nobody looked, or deleted. Those with a copy
// of a rotation's name take it before the others look at all files: copies of logs
// that begin alike are told apart by their names.
func (t *Tailer) findMissing() {
	for _, s := range t.cfg.Checkpoint.Streams() {
		known := s.GoneUnix != 0 && s.SeenBytes-s.LostBytes <= t.position(s)
		if s.Host == t.cfg.Host && !known && t.fileOf(s) == nil && !slices.Contains(t.missing, s) {
			t.missing = append(t.missing, s)
		}
	}
	t.seekMissing()
}

// seekMissing looks for the missing logs whose directories could be listed.
func (t *Tailer) seekMissing() {
	var later, sought []*checkpoint.Stream
	for _, s := range t.missing {
		switch d := t.dirs[filepath.Dir(s.Path)]; {
		case d == nil: // no source names it any more
		case !d.listed:
			later = append(later, s)
		default:
			sought = append(sought, s)
		}
	}
	t.missing = later
	starved := map[*checkpoint.Stream]error{}
	for _, search := range []func(*quest) bool{t.searchNames, t.searchAll} {
		sought = slices.DeleteFunc(sought, func(s *checkpoint.Stream) bool {
			if t.fileOf(s) != nil {
				return true
			}
			d := t.dirs[filepath.Dir(s.Path)]
			m := d.match(filepath.Base(s.Path))
			if m == nil {
				m = d.matchers[0]
			}
			q := &quest{stream: s, path: s.Path, source: m, position: t.position(s)}
			found := search(q)
			if q.err != nil {
				starved[s] = q.err
			}
			return found
		})
	}
	for _, s := range sought {
		if err := starved[s]; err != nil {
			t.pressed(err)
			t.missing = append(t.missing, s)
			continue
		}
		t.notFound(s)
	}
}

// finishedFor: a log that was quiet for so long while others grew was finished.
const finishedFor = 24 * time.Hour

// notFound notes that a log is gone, with no copy of it. If it was still written when
// it was seen last, the number of its lines that were not read is unknown.
func (t *Tailer) notFound(s *checkpoint.Stream) {
	position := t.position(s)
	unread := max(0, s.SeenBytes-s.LostBytes-position)
	deleted := s.GoneUnix != 0 // while it was followed
	t.cfg.Checkpoint.Update(func() { s.GoneUnix = t.now.Unix() })
	if unread > 0 || !deleted && t.wasWritten(s) {
		t.unknown(s, position, unread)
	}
}

// wasWritten reports whether a log that is gone was written by a server when it was
// seen last: it had grown of late, and no other log had its name after it.
func (t *Tailer) wasWritten(s *checkpoint.Stream) bool {
	later, newest := false, int64(0)
	for _, o := range t.atStart {
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
func (t *Tailer) unknown(s *checkpoint.Stream, from, unread int64) {
	t.cfg.Checkpoint.Update(func() { s.LostBytes += unread })
	t.addLoss(checkpoint.Loss{Path: s.Path, Stream: s.ID, From: from, Bytes: unread, Unknown: true})
	t.cfg.Log.Error("log was replaced or deleted while it was not followed, no copy of it was found", "path", s.Path, "stream", s.ID, "offset", from, "unread_bytes_at_least", unread)
}

// addLoss counts a loss, and keeps it until it is acknowledged.
func (t *Tailer) addLoss(l checkpoint.Loss) {
	l.AtUnix = t.now.Unix()
	t.cfg.Checkpoint.AddLoss(l)
	t.counters.LostBytes.Add(l.Bytes)
	t.counters.LostFiles.Add(1)
}

// Acknowledge takes losses out of the counters. Any goroutine may call it.
func (c *Counters) Acknowledge(losses []checkpoint.Loss) {
	for _, l := range losses {
		c.LostBytes.Add(-l.Bytes)
		c.LostFiles.Add(-1)
	}
}
