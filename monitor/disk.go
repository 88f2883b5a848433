package monitor

import (
	"fmt"
	"time"
)

// Disk is the disk that holds lines which are not stored yet.
type Disk struct {
	Path      string `json:"path"`
	FreeBytes int64  `json:"free_bytes"`
	// FullSeconds is when it is full at the present rate; 0: it does not fill.
	FullSeconds float64 `json:"full_seconds,omitempty"`
}

// fillsSoon is the time until the disk is full, below which a warning is reported.
const fillsSoon = 6 * time.Hour

// diskProblems is that the disk is short, or will be.
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

// DiskRate estimates when a disk is full, from looks at it. One goroutine uses it.
type DiskRate struct {
	looks []diskLook // in the order of time
}

type diskLook struct {
	at   time.Time
	free int64
}

const (
	// The rate is that of the last diskWindow, and known after diskKnown.
	diskWindow = 30 * time.Minute
	diskKnown  = 10 * time.Minute
	maxLooks   = 64
)

// Look takes one more measurement and returns when the disk is full, 0 if it does not fill
// or that is not known yet.
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
