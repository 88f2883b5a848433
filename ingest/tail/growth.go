package tail

import (
	"slices"
	"time"

	"sluice/parse"
	"sluice/schema"
)

// growth is when a log was first seen to have which length: from it follows how old
// the line at a position is. It has few entries, however long the log grows.
type growth []grown

// grown: what lies before size was there at a time, given as a distance from when the
// Tailer began. Before it, it is negative.
type grown struct {
	size int64
	at   time.Duration
}

const (
	// maxGrowths bounds a log's memory; beyond it every second entry goes.
	maxGrowths = 16
	// growthEvery is how close two entries may be.
	growthEvery = time.Second
)

// note takes down a length. What is left out makes a line younger, never older: for
// an alarm late is better than false.
func (g *growth) note(size int64, at time.Duration) {
	if n := len(*g); n > 0 {
		last := &(*g)[n-1]
		if size <= last.size {
			return
		}
		if at-last.at < growthEvery {
			last.size = size
			return
		}
	}
	*g = append(*g, grown{size, at})
	if len(*g) > maxGrowths { // an even number and one: first and last stay
		kept := (*g)[:0]
		for i := 0; i < len(*g); i += 2 {
			kept = append(kept, (*g)[i])
		}
		*g = kept
	}
}

// oldest is when the byte at position was first seen; false: it is not there yet.
func (g growth) oldest(position int64) (time.Duration, bool) {
	i := slices.IndexFunc(g, func(m grown) bool { return m.size > position })
	if i < 0 {
		return 0, false
	}
	return g[i].at, true
}

// drop forgets what lies before position.
func (g *growth) drop(position int64) {
	i := slices.IndexFunc(*g, func(m grown) bool { return m.size > position })
	if i < 0 {
		*g = nil
		return
	}
	*g = slices.Delete(*g, 0, i)
}

// met notes what a log has unread when its stream is known. What is found at the start
// is as old as its first line says: a process that is killed again and again before it
// has read anything would otherwise always have young lines.
func (c *contents) met(f *file) {
	if f.size <= f.read {
		return
	}
	at := c.now
	if c.first {
		if event := c.firstUnread(f); !event.IsZero() && event.Before(at) {
			at = event
			f.growth = nil // noted as younger before its stream was known
		}
	}
	f.growth.note(f.size, at.Sub(c.began))
}

// firstUnread is the time of the first line that is not read, zero where it says none.
func (c *contents) firstUnread(f *file) time.Time {
	n, err := pread(f.fd, c.scratch, f.read)
	if err != nil {
		return time.Time{} // the next look says so
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

// age adds a log's lengths and ages to a status. f.stream.Stored is read: the caller
// is in Checkpoint.Update.
func (s *Status) age(f *file, now time.Duration) {
	stored := int64(0)
	if f.stream != nil {
		stored = min(f.stream.Stored, f.size)
	}
	if f.stream == nil && len(f.growth) == 0 && !f.part {
		f.growth.note(f.size, now) // nobody has had the time to look which log it is: its lines get old meanwhile
	}
	f.growth.drop(min(stored, f.read))
	s.WrittenBytes += f.size
	s.ReadBytes += f.read
	s.StoredBytes += stored
	if at, ok := f.growth.oldest(f.read); ok && !f.part {
		s.UnreadSeconds = max(s.UnreadSeconds, (now - at).Seconds())
	}
	// What was there before the process began could not be stored before: it counts
	// from then.
	if at, ok := f.growth.oldest(stored); ok && (stored < f.read || !f.part) {
		s.UnstoredSeconds = max(s.UnstoredSeconds, (now - max(at, 0)).Seconds())
	}
}
