package collector

import (
	"fmt"
	"maps"
	"time"
)

// A line's time decides to which day's file it belongs, so a host could create a file and a
// directory with each line. These limits are far above what a backfill of two years of daily logs
// needs. The batches of a host that reaches one wait.
const (
	// maxOpenSegments is the limit of the open segments of all hosts, maxHostOpen that of one host.
	// A log whose lines are in no order of time would otherwise keep one open for every day.
	maxOpenSegments = 512
	maxHostOpen     = 64
	// maxHourDates is the limit of days for which a host may begin files within an hour,
	// maxHourFiles the limit of these files.
	maxHourDates = 2_000
	maxHourFiles = 10_000
)

// dates limits the segments that each host begins. spool.mu must be held during calls of its
// methods.
type dates struct {
	cfg   *Config
	begun map[string]*begun // by host
}

// begun counts the segments that a host has begun in an hour.
type begun struct {
	since time.Time
	files int
	dates map[string]bool
	waits string // why the host may not begin more; "": it has not reached a limit
}

// mayBegin records that a host begins a segment. At a limit it returns an error that wraps ErrBusy:
// the host's lines wait for the next hour.
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

// forget deletes counts that are more than an hour old.
func (d *dates) forget() {
	now := d.cfg.Now()
	maps.DeleteFunc(d.begun, func(_ string, b *begun) bool { return b.over(now) })
}

// report sets Dates in the shares of the hosts that have reached a limit.
func (d *dates) report(shares map[string]Share) {
	for host, b := range d.begun {
		if b.waits != "" {
			share := shares[host]
			share.Dates = b.waits
			shares[host] = share
		}
	}
}
