package tail

import (
	"slices"
	"time"

	"sluice/parse"
	"sluice/schema"
)

// growth records when a log was first seen to have which length, from which the age of the line at
// a position is calculated. The number of entries is limited, however long the log grows.
type growth []grown

// grown: the bytes before size were there at the time at, relative to the start of the Tailer;
// negative: before it.
type grown struct {
	size int64
	at   time.Duration
}

const (
	// maxGrowths limits the entries; beyond it every second one is removed.
	maxGrowths = 16
	// growthInterval is the least time between two entries.
	growthInterval = time.Second
)

// note adds a length. Leaving entries out makes a line look younger, never older, because a late
// alarm is better than a false one.
func (g *growth) note(size int64, at time.Duration) {
	if n := len(*g); n > 0 {
		last := &(*g)[n-1]
		if size <= last.size {
			return
		}
		if at-last.at < growthInterval {
			last.size = size
			return
		}
	}
	*g = append(*g, grown{size, at})
	if len(*g) > maxGrowths { // the number is odd, so the first and the last entry remain
		kept := (*g)[:0]
		for i := 0; i < len(*g); i += 2 {
			kept = append(kept, (*g)[i])
		}
		*g = kept
	}
}

// oldest returns when the byte at position was first seen; false: it does not exist yet.
func (g growth) oldest(position int64) (time.Duration, bool) {
	i := slices.IndexFunc(g, func(m grown) bool { return m.size > position })
	if i < 0 {
		return 0, false
	}
	return g[i].at, true
}

// drop removes the entries before position.
func (g *growth) drop(position int64) {
	i := slices.IndexFunc(*g, func(m grown) bool { return m.size > position })
	if i < 0 {
		*g = nil
		return
	}
	*g = slices.Delete(*g, 0, i)
}

// met records what a log has unread when its stream becomes known. At the start of the process the
// age is taken from the time of the first unread line. Otherwise a process that is killed
// repeatedly before it has read anything would always report young lines.
func (c *contents) met(f *file) {
	if f.size <= f.read {
		return
	}
	at := c.now
	if c.first {
		if event := c.firstUnread(f); !event.IsZero() && event.Before(at) {
			at = event
			f.growth = nil // it has a later time, recorded before the stream was known
		}
	}
	f.growth.note(f.size, at.Sub(c.began))
}

// firstUnread returns the time of the first unread line, or zero if it has none.
func (c *contents) firstUnread(f *file) time.Time {
	n, err := pread(f.fd, c.scratch, f.read)
	if err != nil {
		return time.Time{} // the next look reports the error
	}
	line, _, size, ok := schema.CutLine(c.scratch[:n])
	whole := ok && c.scratch[size-1] == '\n'
	if !whole {
		return time.Time{}
	}
	format, err := parse.OfStream(&f.stream.Stream)
	if err != nil {
		return time.Time{}
	}
	var rec schema.Record
	if format.Parse(line, &rec); !rec.Dated {
		return time.Time{}
	}
	return time.Unix(0, rec.Time)
}

// age adds a log's lengths and ages to a status. It reads f.stream.Stored, so it must be called in
// Checkpoint.Update.
func (s *Status) age(f *file, now time.Duration) {
	stored := int64(0)
	if f.stream != nil {
		stored = min(f.stream.Stored, f.size)
	}
	if f.stream == nil && len(f.growth) == 0 && !f.part {
		f.growth.note(f.size, now) // the log was not identified yet; its lines get older meanwhile
	}
	f.growth.drop(min(stored, f.read))
	s.WrittenBytes += f.size
	s.ReadBytes += f.read
	s.StoredBytes += stored
	if at, ok := f.growth.oldest(f.read); ok && !f.part {
		s.UnreadSeconds = max(s.UnreadSeconds, (now - at).Seconds())
	}
	// For bytes that existed before the process started the age begins at its start, because they
	// could not be stored earlier.
	if at, ok := f.growth.oldest(stored); ok && (stored < f.read || !f.part) {
		s.UnstoredSeconds = max(s.UnstoredSeconds, (now - max(at, 0)).Seconds())
	}
}
