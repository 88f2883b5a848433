package query

import (
	"errors"
	"fmt"
	"time"

	"sluice/schema"
)

// maxBuckets bounds a histogram: what is more no one reads.
const maxBuckets = 100_000

const (
	maxWidth = 366 * 24 * time.Hour
	week     = 7 * 24 * time.Hour
	// firstMonday is 1970-01-05; 1970 began on a Thursday.
	firstMonday = 4 * 24 * time.Hour
)

// ErrTooManyBuckets: the entries' times are too far apart for the width.
var ErrTooManyBuckets = errors.New("too many buckets")

// Histogram counts entries by their time, in buckets of one width that start
// at multiples of it on the wall clock of a zone: days at midnight, hours at the
// full hour, weeks on Monday. The hour that the clock goes through twice when summer ends is one
// bucket.
type Histogram struct {
	width       int64 // ns
	origin      int64 // where a bucket starts, ns since 1970 on the wall clock
	zone        *time.Location
	undated     int64
	counts      map[int64]int64
	first, last int64 // keys of counts
}

// NewHistogram makes a histogram of buckets of a whole number of seconds; nil
// for zone is UTC.
func NewHistogram(width time.Duration, zone *time.Location) (*Histogram, error) {
	if width < time.Second || width%time.Second != 0 {
		return nil, fmt.Errorf("%v is no width of a bucket: use a whole number of seconds, such as 10m, 1h, 1d or 1w", width)
	}
	if width > maxWidth {
		return nil, fmt.Errorf("buckets of %v are wider than a year: use 1h, 1d or 1w", width)
	}
	if zone == nil {
		zone = time.UTC
	}
	h := &Histogram{width: int64(width), zone: zone, counts: make(map[int64]int64)}
	if width%week == 0 {
		h.origin = int64(firstMonday)
	}
	return h, nil
}

// Add implements [Summary]. The error wraps ErrTooManyBuckets.
func (h *Histogram) Add(e *schema.Entry) error {
	if !e.Record.Dated {
		h.undated++
		return nil
	}
	t := time.Unix(0, e.Record.Time).In(h.zone)
	_, offset := t.Zone()
	wall := e.Record.Time + int64(offset)*int64(time.Second) - h.origin
	key := wall / h.width
	if wall%h.width < 0 {
		key--
	}
	if len(h.counts) == 0 {
		h.first, h.last = key, key
	}
	h.first, h.last = min(h.first, key), max(h.last, key)
	if h.last-h.first >= maxBuckets {
		first, _ := h.start(h.first)
		last, _ := h.start(h.last)
		return fmt.Errorf("%w: more than %d of %v from %s to %s: use wider ones, or a shorter time (--from, --to)", ErrTooManyBuckets,
			maxBuckets, time.Duration(h.width), first.Format(time.DateOnly), last.Format(time.DateOnly))
	}
	h.counts[key]++
	return nil
}

// start is the moment at which a bucket starts; false where the zone's clock
// never shows that time, because summer begins.
func (h *Histogram) start(key int64) (time.Time, bool) {
	w := time.Unix(0, key*h.width+h.origin).UTC() // the wall clock, as if it were UTC's
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, h.zone)
	return t, t.Hour() == w.Hour() && t.Minute() == w.Minute()
}

// Report implements [Summary]: all buckets from the first entry's to the last's,
// empty ones too, after a group of the undated entries if there are any. A
// group's value is the bucket's start, RFC 3339.
func (h *Histogram) Report() Report {
	r := Report{Key: schema.TimeField, Bars: true}
	if h.undated > 0 {
		r.Groups = append(r.Groups, Group{Null: true, Count: h.undated})
	}
	if len(h.counts) == 0 {
		return r
	}
	for key := h.first; key <= h.last; key++ {
		start, shown := h.start(key)
		count := h.counts[key]
		if count == 0 && !shown {
			continue
		}
		r.Groups = append(r.Groups, Group{Value: start.Format(time.RFC3339), Count: count})
	}
	return r
}
