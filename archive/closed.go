package archive

import (
	"path"
	"time"
)

// Span is the directory of a file that is not archived yet, and the times of its lines.
type Span struct {
	Dir   string // as returned by Expand
	Start time.Time
}

// Closed returns the directories to which no more files will be added: their day ended grace ago,
// in the time zone of Start, and no segment that is open or not archived belongs to them or to a
// directory below. dirs are the directories with the first moment of their day. The day is that of
// the log's zone and has 23 to 25 hours.
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
