package collector

import (
	"fmt"
	"maps"
	"time"
)

// A host's lines say which days' files they go to, so a host can make a file and a
// directory of each line. These bounds are far above what a backfill of two years of
// daily logs needs; a host that meets one waits.
const (
	// maxOpenSegments bounds the segments of all hosts that are open at a time, maxHostOpen
	// those of one host: a log whose lines are in no order of time would open one for
	// every day there is.
	maxOpenSegments = 512
	maxHostOpen     = 64
	// maxHourDates and maxHourFiles bound the days of which a host begins files within an
	// hour, and the files.
	maxHourDates = 2_000
	maxHourFiles = 10_000
)

// dates bounds the segments that each host begins. Its methods want spool.mu.
type dates struct {
	cfg   *Config
	begun map[string]*begun // by host
}

// begun are the segments that a host began within the hour.
type begun struct {
	since time.Time
	files int
	dates map[string]bool
	waits string // why it may begin no more; "": it may
}

// mayBegin records that a host begins a segment. The error wraps ErrBusy: the host's lines wait
// for the next hour.
func (d *dates) mayBegin(key segmentKey) error {
	if d.cfg.HostShare == 0 {
		return nil
	}
	host := key.host
	now := d.cfg.Now()
	b := d.begun[host]
	if b == nil || b.over(now) {
		b = &begun{since: now, dates: map[string]bool{}}
		d.begun[host] = b
	}
	date := key.period[:len("20060102")]
	switch {
	case b.files >= maxHourFiles:
	case !b.dates[date] && len(b.dates) >= maxHourDates:
	default:
		b.files++
		b.dates[date] = true
		return nil
	}
	first := b.waits == ""
	b.waits = fmt.Sprintf("its lines are of too many days: it began %d files of %d days since %s, and may begin %d files of %d days an hour", b.files, len(b.dates), b.since.UTC().Format(time.RFC3339), maxHourFiles, maxHourDates)
	if first {
		d.cfg.Log.Warn("host has begun too many files, its batches wait", "host", host, "files", b.files, "days", len(b.dates))
	}
	return fmt.Errorf("%w: host %s: %s", ErrBusy, host, b.waits)
}

func (b *begun) over(now time.Time) bool { return now.Sub(b.since) >= time.Hour || now.Before(b.since) }

// forget drops what is more than an hour old.
func (d *dates) forget() {
	now := d.cfg.Now()
	maps.DeleteFunc(d.begun, func(_ string, b *begun) bool { return b.over(now) })
}

// report adds to each host's share why it waits.
func (d *dates) report(shares map[string]Share) {
	for host, b := range d.begun {
		if b.waits != "" {
			share := shares[host]
			share.Dates = b.waits
			shares[host] = share
		}
	}
}
