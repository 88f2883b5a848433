package receiver

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"time"

	"sluice/ingest/protocol"
)

// Host is what is known of a host that sends.
type Host struct {
	Name, Agent string
	// Connections are open; Seen is when it last said something.
	Connections int
	Seen        time.Time
	// Beat is its last heartbeat, which came at BeatAt; Streams of it are not kept, but
	// for the time of the oldest unread byte, by the sender's clock: 0 is none.
	Beat           protocol.Heartbeat
	BeatAt         time.Time
	OldestUnreadMs int64
	// Missed: this collector is the host's first choice, so that it is missed when it is
	// silent. Earlier: it sent in an earlier life, and not yet in this one.
	Missed, Earlier bool
	// Elsewhere: it said that it is with another collector.
	Elsewhere bool
	// StartedMs is when its process started, by its own clock; 0: it does not say.
	StartedMs int64
	// ClockOffset is by how much its clock is ahead of ours, if ClockKnown.
	ClockOffset time.Duration
	ClockKnown  bool
	// Issued and Expires are between when its certificate is valid; zero without one.
	Issued, Expires time.Time
	// Batches, Lines and Bytes came since this process began; Busy and Refused were
	// not taken.
	Batches, Lines, Bytes, Busy, Refused int64
	// Faults are what it does that it must not, of the last minutes.
	Faults []Fault
	// Shared says that two addresses use its name at the same time; "": none does.
	Shared string

	named       int               // streams of its connections
	sessions    map[*session]bool // that said hello
	looks       bucket
	interleaved interleaving
	// spellings of its name that its certificate does not have.
	spellings map[string]bool
	turns     chan struct{} // as many as may be used at a time
	clock     clockSamples
}

// Fault is something that a host did and must not, one of each kind.
type Fault struct {
	Kind, Text string
	At         time.Time // of the last one
	Count      int64     // since the last quiet time
	logged     time.Time
}

const (
	// faultFor a fault is told, and then forgotten.
	faultFor = 10 * time.Minute
	// faultLogged is how often it is logged.
	faultLogged = time.Minute
	// forgetHostAfter a host that is not missed is forgotten.
	forgetHostAfter = 7 * 24 * time.Hour
)

// fault notes that a host did what it must not.
func (r *Receiver) fault(host, kind, text string) {
	now := r.cfg.Now()
	text = cut(text, maxReasonBytes)
	var f Fault
	r.note(host, func(h *Host) {
		i := slices.IndexFunc(h.Faults, func(f Fault) bool { return f.Kind == kind })
		if i < 0 {
			i = len(h.Faults)
			h.Faults = append(h.Faults, Fault{Kind: kind})
		}
		x := &h.Faults[i]
		if now.Sub(x.At) >= faultFor {
			x.Count = 0
		}
		x.Text, x.At = text, now
		x.Count++
		f = *x
		if now.Sub(x.logged) >= faultLogged {
			x.logged = now
		}
	})
	if now.Sub(f.logged) >= faultLogged {
		r.cfg.Log.Warn("host breaks the protocol or its quota", "host", host, "reason", text, "count", f.Count)
	}
}

// Hosts are all that sent since this process began, and those that are missed, by
// name.
func (r *Receiver) Hosts() []Host {
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	hosts := make([]Host, 0, len(r.hosts))
	for _, h := range r.hosts {
		x := *h
		x.sessions = nil
		x.Faults = slices.DeleteFunc(slices.Clone(h.Faults), func(f Fault) bool { return now.Sub(f.At) >= faultFor })
		x.Shared = h.interleaved.text(h.Name, now)
		hosts = append(hosts, x)
	}
	slices.SortFunc(hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return hosts
}

// room says whether one more host can be kept in mind. Where there are as many as can be,
// the one gives way that never sent a line and was not seen for the longest.
func (r *Receiver) room(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts[host] != nil || len(r.hosts) < maxHosts {
		return true
	}
	var idle []*Host
	for _, h := range r.hosts {
		if h.Connections == 0 && h.Lines == 0 && r.cfg.Checkpoint.Usage(h.Name) == 0 {
			idle = append(idle, h)
		}
	}
	if len(idle) == 0 {
		return false
	}
	first := slices.MinFunc(idle, func(a, b *Host) int { return cmp.Compare(a.Seen.UnixNano(), b.Seen.UnixNano()) })
	r.forgetHost(first)
	return true
}

// forgetHost: it is not missed any more, either. r.mu is held.
func (r *Receiver) forgetHost(h *Host) {
	delete(r.hosts, h.Name)
	if r.cfg.Checkpoint.Expect(h.Name, false) {
		r.unsaved.Store(true)
	}
}

// forgetHosts drops hosts that went elsewhere long ago.
func (r *Receiver) forgetHosts(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hosts {
		if h.Connections == 0 && !h.Missed && now.Sub(h.Seen) >= forgetHostAfter {
			r.forgetHost(h)
		}
	}
}

// note changes what is known of a host that said something just now.
func (r *Receiver) note(host string, change func(*Host)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[host]
	if h == nil {
		h = &Host{Name: host, Missed: true}
		r.hosts[host] = h
	}
	if h.turns == nil {
		h.turns = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	}
	if h.sessions == nil {
		h.sessions = map[*session]bool{}
	}
	h.Seen, h.Earlier = r.cfg.Now(), false
	change(h)
}
