package archive

import (
	"path"
	"time"
)

// Span is where a file that is not archived yet will be, and which lines it holds.
type Span struct {
	Dir   string // that Expand gives
	Start time.Time
}

// Closed returns those of the directories, a name's directory and the first moment
// of its day, to which nothing is to come any more: their day ended grace ago, in
// the zone of its Start, and no segment that is open or held is for them or for a
// directory below. A day is the log's: it has 23 to 25 hours.
func Closed(dirs []Span, unarchived []Span, now time.Time, grace time.Duration) []string {
	var closed []string
	for _, d := range dirs {
		y, m, day := d.Start.Date()
		end := time.Date(y, m, day+1, 0, 0, 0, 0, d.Start.Location())
		if now.Before(end.Add(grace)) || awaited(d.Dir, unarchived) {
			continue
		}
		closed = append(closed, d.Dir)
	}
	return closed
}

func awaited(dir string, unarchived []Span) bool {
	for _, s := range unarchived {
		for below := s.Dir; below != "." && below != "/"; below = path.Dir(below) {
			if below == dir {
				return true
			}
		}
	}
	return false
}
