package monitor

import (
	"fmt"
	"time"
)

// Disk is the file system that holds lines which are not stored yet.
type Disk struct {
	Path      string `json:"path"`
	FreeBytes int64  `json:"free_bytes"`
	// FullSeconds is the time until it is full at the present rate. 0: it does not fill.
	FullSeconds float64 `json:"full_seconds,omitempty"`
}

// fillsSoon is the time until the disk is full below which a warning is reported.
const fillsSoon = 6 * time.Hour

// diskProblems returns an error if the spool may grow larger than the free space, or else a warning
// if the disk is full soon.
func (f *Fleet) diskProblems() []Problem {
	d := f.Disk
	if d == nil {
		return nil
	}
	until := ""
	if d.FullSeconds > 0 {
		until = fmt.Sprintf(", full in %s at the present rate", span(d.FullSeconds))
	}
	may := f.BufferMaxBytes - f.BufferBytes
	switch {
	case f.Kind != Agent && f.BufferMaxBytes > 0 && d.FreeBytes < may:
		return []Problem{DiskShort.New(fmt.Sprintf("%s free on the disk of %s, the spool may still take %s (--spool-max)%s: free space or give a smaller --spool-max", bytesText(d.FreeBytes), d.Path, bytesText(may), until))}
	case d.FullSeconds > 0 && span(d.FullSeconds) < fillsSoon:
		return []Problem{DiskFills.New(fmt.Sprintf("%s free on the disk of %s%s", bytesText(d.FreeBytes), d.Path, until))}
	}
	return nil
}

// DiskRate estimates when a disk is full from measurements of its free space. It must not be used
// by several goroutines at the same time.
type DiskRate struct {
	looks []diskLook // oldest first
}

type diskLook struct {
	at   time.Time
	free int64
}

const (
	// The rate is measured over the last diskWindow. It is not reported before diskKnown.
	diskWindow = 30 * time.Minute
	diskKnown  = 10 * time.Minute
	maxLooks   = 64
)

// Look adds a measurement of the free bytes and returns the time until the disk is full. 0: it does
// not fill, or the rate is not known yet.
func (r *DiskRate) Look(now time.Time, free int64) (full time.Duration) {
	if n := len(r.looks); n == 0 || now.Sub(r.looks[n-1].at) >= diskWindow/maxLooks {
		r.looks = append(r.looks, diskLook{now, free})
	}
	for len(r.looks) > 1 && (now.Sub(r.looks[0].at) > diskWindow || len(r.looks) > maxLooks) {
		r.looks = r.looks[1:]
	}
	first := r.looks[0]
	span, used := now.Sub(first.at), first.free-free
	if span < diskKnown || used <= 0 {
		return 0
	}
	seconds := float64(free) / (float64(used) / span.Seconds())
	return time.Duration(min(seconds, (10*365*24*time.Hour).Seconds()) * float64(time.Second))
}
