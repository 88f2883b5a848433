package query

import (
	"errors"
	"fmt"
	"time"
)

const (
	maxWidth = 366 * 24 * time.Hour
	week     = 7 * 24 * time.Hour
	// firstMonday is 1970-01-05; 1970 began on a Thursday.
	firstMonday = 4 * 24 * time.Hour
	// maxSpans bounds the intervals of Question.Every, as empty ones are printed, too.
	maxSpans = 100_000
)

// errTooManySpans is returned if the entries' times span too many intervals of the width.
var errTooManySpans = errors.New("too many spans of time")

// spanner numbers intervals of one width that start at multiples of it on the wall clock of a zone:
// days at midnight, hours at the full hour, weeks on Monday. The hour that is repeated at the end
// of summer time is one interval.
type spanner struct {
	width  int64 // ns
	origin int64 // start of an interval, ns since 1970 on the wall clock
	zone   *time.Location

	// number is the interval of the times from <= t < to, a cache: entries are mostly in time
	// order.
	from, to, number int64
}

func newSpanner(width time.Duration, zone *time.Location) (*spanner, error) {
	if width < time.Second || width%time.Second != 0 {
		return nil, fmt.Errorf("%v is not a width: use a whole number of seconds, such as 10m, 1h, 1d or 1w", width)
	}
	if width > maxWidth {
		return nil, fmt.Errorf("spans of %v are wider than a year: use 1h, 1d or 1w", width)
	}
	if zone == nil {
		zone = time.UTC
	}
	s := &spanner{width: int64(width), zone: zone}
	if width%week == 0 {
		s.origin = int64(firstMonday)
	}
	return s, nil
}

// of returns the number of the interval of a time.
func (s *spanner) of(nanos int64) int64 {
	if nanos >= s.from && nanos < s.to {
		return s.number
	}
	t := time.Unix(0, nanos).In(s.zone)
	_, offset := t.Zone()
	shift := int64(offset)*int64(time.Second) - s.origin
	wall := nanos + shift
	s.number = wall / s.width
	if wall%s.width < 0 {
		s.number--
	}
	s.from = s.number*s.width - shift
	s.to = s.from + s.width
	start, end := t.ZoneBounds() // where the offset changes
	if !start.IsZero() && start.Year() >= 1970 && start.Year() < 2262 {
		s.from = max(s.from, start.UnixNano())
	}
	if !end.IsZero() && end.Year() >= 1970 && end.Year() < 2262 {
		s.to = min(s.to, end.UnixNano())
	}
	return s.number
}

// start returns the moment at which an interval starts; false if the zone's clock skips that time
// at the beginning of summer time.
func (s *spanner) start(number int64) (time.Time, bool) {
	w := time.Unix(0, number*s.width+s.origin).UTC() // the wall clock, as if it were UTC's
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, s.zone)
	return t, t.Hour() == w.Hour() && t.Minute() == w.Minute()
}
