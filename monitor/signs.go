package monitor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/ingest/receiver"
)

// clockBound is the difference between two clocks above which it is reported.
const clockBound = 30 * time.Second

// clockOffset returns how far the clocks of the hosts are ahead of this process's clock, if more
// than half of at least three connected hosts agree on that: then it is this clock that is wrong,
// and hosts are compared with each other. Otherwise it returns 0 and no problem.
func (f *Fleet) clockOffset() (time.Duration, *Problem) {
	var all []float64
	for _, h := range f.Hosts {
		if h.ClockOffsetSeconds != nil && h.Connections > 0 {
			all = append(all, *h.ClockOffsetSeconds)
		}
	}
	if len(all) < 3 {
		return 0, nil
	}
	slices.Sort(all)
	median, agree := all[len(all)/2], 0
	for _, x := range all {
		if diff := x - median; -10 < diff && diff < 10 {
			agree++
		}
	}
	offset := span(median)
	if offset.Abs() < clockBound || 2*agree <= len(all) {
		return 0, nil
	}
	p := ClockOff.New(fmt.Sprintf("the clock of this machine is %s compared with those of %d of %d hosts: correct it (chronyc tracking)", aheadOf(-offset), agree, len(all)))
	return offset, &p
}

// aheadOf returns a difference of clocks as a text.
func aheadOf(d time.Duration) string {
	if d < 0 {
		return (-d).String() + " slow"
	}
	return d.String() + " fast"
}

// clock returns a problem if the host's clock or the times in its lines are wrong.
func (h *Host) clock(offset time.Duration) []Problem {
	if h.ClockOffsetSeconds != nil {
		if d := span(*h.ClockOffsetSeconds) - offset; d.Abs() >= clockBound {
			return []Problem{ClockOff.New(fmt.Sprintf("its clock is %s: row keys and archive days of its lines follow that clock; correct it (chronyc tracking)", aheadOf(d)))}
		}
	}
	if ahead := span(h.arrived().AheadSeconds) - offset; ahead >= clockBound {
		return []Problem{FutureLines.New(fmt.Sprintf("its newest line has a time %s in the future: row keys and archive days follow it; check the clock and the time zone of that log (--timezone)", ahead))}
	}
	return nil
}

// unparsable returns a problem if many lines of a log cannot be parsed.
func (h *Host) unparsable() (problems []Problem) {
	for _, u := range h.arrived().Unparsed {
		text := fmt.Sprintf("%s: %d of the last %d lines (%.0f %%) do not parse", u.Path, u.Errors, u.Lines, 100*float64(u.Errors)/float64(max(1, u.Lines)))
		if u.InARow > 1 {
			text += fmt.Sprintf(", the last %d in a row", u.InARow)
		}
		problems = append(problems, Unparsable.New(text+fmt.Sprintf("; they are stored as raw lines: compare --format with LogFormat; example: %q", u.Example)))
	}
	return problems
}

// rejection counts the rejected connections with a host's certificate, or with one that names the
// host, that have the same cause. at and peer are of the last one.
type rejection struct {
	at    time.Time
	peer  string
	cause string
	count int64
	// proven is true if the certificate is signed by this server's CA, so it is the host's own.
	proven bool
}

// Rejections stores the rejected connections of each host. Its methods may be called by several
// goroutines at a time.
type Rejections struct {
	mu     sync.Mutex
	byHost map[string]map[string]*rejection // by host and cause; guarded by mu
}

const (
	// maxRejectedNames and maxCauses limit the stored rejections, because anyone can send
	// certificates. maxCauses limits both the causes of a name and the names of a certificate.
	maxRejectedNames, maxCauses = 1000, 4
	maxCauseBytes               = 300
)

// Note adds a rejected connection to each host that the certificate names. A certificate that is
// not proven adds no host above maxRejectedNames.
func (r *Rejections) Note(now time.Time, names []string, peer, cause string, proven bool) {
	cause = strings.ToValidUTF8(cause[:min(len(cause), maxCauseBytes)], "")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byHost == nil || len(r.byHost) >= maxRejectedNames {
		r.forget(now)
	}
	for _, name := range names[:min(len(names), maxCauses)] {
		causes := r.byHost[name]
		if causes == nil && len(r.byHost) >= maxRejectedNames && !proven {
			continue
		}
		if causes == nil {
			causes = map[string]*rejection{}
			r.byHost[name] = causes
		}
		x := causes[cause]
		if x == nil && len(causes) >= maxCauses {
			continue
		}
		if x == nil {
			x = &rejection{cause: cause, proven: proven}
			causes[cause] = x
		}
		x.at, x.peer = now, peer
		x.count++
	}
}

// forget deletes rejections that are too old to be reported. r.mu must be held.
func (r *Rejections) forget(now time.Time) {
	if r.byHost == nil {
		r.byHost = map[string]map[string]*rejection{}
	}
	for name, causes := range r.byHost {
		maps.DeleteFunc(causes, func(_ string, x *rejection) bool { return now.Sub(x.at) >= rejectedFor })
		if len(causes) == 0 {
			delete(r.byHost, name)
		}
	}
}

// Reject adds the rejected connections to the hosts that they name.
func (f *Fleet) Reject(r *Rejections) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(f.Now)
	for name, causes := range r.byHost {
		for host, x := range f.Hosts {
			if !receiver.SameName(host, name) {
				continue
			}
			for _, cause := range slices.Sorted(maps.Keys(causes)) {
				x.rejected = append(x.rejected, *causes[cause])
			}
			f.Hosts[host] = x
		}
	}
}

// rejectedFor is the time for which a rejected connection is reported.
const rejectedFor = 10 * time.Minute

// rejections returns the problems of rejected connections, unless the host is connected otherwise.
// Anyone can make a certificate that the CA did not sign: then the text only says that it names the
// host.
func (h *Host) rejections(now time.Time) (problems []Problem) {
	for _, r := range h.rejected {
		if now.Sub(r.at) >= rejectedFor || h.Connections > 0 {
			continue
		}
		text := fmt.Sprintf("its connections from %s are rejected: %s (%d times, the last at %s)", r.peer, r.cause, r.count, r.at.UTC().Format(time.RFC3339))
		if !r.proven {
			text = fmt.Sprintf("connections from %s that name it are rejected: %s (%d times, the last at %s)", r.peer, r.cause, r.count, r.at.UTC().Format(time.RFC3339))
		}
		problems = append(problems, Rejected.New(text))
	}
	return problems
}
