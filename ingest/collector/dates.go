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

// begun are the segments that a host began within the hour.
type begun struct {
	since time.Time
	files int
	dates map[string]bool
	waits string // why it may begin no more; "": it may
}

// mayBegin notes that a host begins a segment where none of the key is open. The error wraps
// ErrBusy: the host's lines wait for the next hour. c.mu is held.
func (c *Collector) mayBegin(key segmentKey) error {
	if c.cfg.HostShare == 0 || c.spool.open[key] != nil {
		return nil
	}
	host := key.host
	now := c.cfg.Now()
	b := c.begun[host]
	if b == nil || b.over(now) {
		b = &begun{since: now, dates: map[string]bool{}}
		c.begun[host] = b
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
		c.cfg.Log.Warn("host has begun too many files, its batches wait", "host", host, "files", b.files, "days", len(b.dates))
	}
	return fmt.Errorf("%w: host %s: %s", ErrBusy, host, b.waits)
}

func (b *begun) over(now time.Time) bool { return now.Sub(b.since) >= time.Hour || now.Before(b.since) }

// forgetBegun drops what is more than an hour old. c.mu is held.
func (c *Collector) forgetBegun() {
	now := c.cfg.Now()
	maps.DeleteFunc(c.begun, func(_ string, b *begun) bool { return b.over(now) })
}

// tooManyOpen rolls the segments of a host that has too many open. c.mu is held.
func (c *Collector) tooManyOpen(host string) bool {
	if c.spool.opened[host] <= maxHostOpen {
		return false
	}
	c.spool.rollIf(func(sp *spooled) bool { return sp.name.Host == host })
	return true
}

// closeSome makes room for one more open segment where as many are open as may be. It
// rolls those of the host that has the most, and seals what is rolled itself: those who
// finish segments may be waiting for the archive.
func (c *Collector) closeSome(key segmentKey) error {
	for {
		c.mu.Lock()
		if c.spool.open[key] != nil || c.spool.writers < c.cfg.OpenSegments {
			c.mu.Unlock()
			return nil
		}
		sp := c.spool.unsealed()
		if sp == nil {
			most := key.host
			for other, n := range c.spool.opened {
				if n > c.spool.opened[most] {
					most = other
				}
			}
			c.spool.rollIf(func(sp *spooled) bool { return sp.name.Host == most })
			c.feed()
			sp = c.spool.unsealed()
		}
		c.mu.Unlock()
		if sp == nil {
			return nil
		}
		if err := c.seal(sp); err != nil {
			return c.spoolFailed(err)
		}
	}
}
