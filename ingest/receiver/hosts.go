package receiver

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"time"

	"sluice/ingest/protocol"
)

// Host is the state of a sending host.
type Host struct {
	Name, Agent string
	// Connections is the number of open connections; Seen is the time of the last message.
	Connections int
	Seen        time.Time
	// Beat is the last heartbeat, received at BeatAt. Its Streams are not kept, except for
	// OldestUnreadMs: the time when the oldest unread byte was written, by the sender's clock; 0
	// means none.
	Beat           protocol.Heartbeat
	BeatAt         time.Time
	OldestUnreadMs int64
	// Missed is true if the host is expected at this collector, so that silence is reported.
	// Earlier is true if it sent to a previous process of this collector and not yet to this one.
	Missed, Earlier bool
	// Elsewhere is true if the host reported that it is connected to another collector.
	Elsewhere bool
	// StartedMs is the start time of the agent's process by its own clock; 0: not reported.
	StartedMs int64
	// ClockOffset is by how much its clock is ahead of the collector's, if ClockKnown.
	ClockOffset time.Duration
	ClockKnown  bool
	// Issued and Expires limit the validity of its certificate; zero without one.
	Issued, Expires time.Time
	// Batches, Lines and Bytes were received since this process started. Busy and Refused count
	// batches that were not accepted.
	Batches, Lines, Bytes, Busy, Refused int64
	// RefusedAt is when the last batch was refused.
	RefusedAt time.Time
	// Faults are its violations of the protocol or of its limits in the last minutes.
	Faults []Fault
	// Shared is a warning that two addresses use the host's name at the same time; "": they do not.
	Shared string

	named       int               // number of streams of its connections
	sessions    map[*session]bool // sessions that sent hello
	looks       bucket
	interleaved interleaving
	// spellings of its name that differ from the certificate's.
	spellings map[string]bool
	turns     chan struct{} // its capacity is the number that may be in use at a time
	clock     clockSamples
	rolled    time.Time // when its segments were last archived on its request
}

// Fault is a violation of the protocol or of a limit; there is one for each kind.
type Fault struct {
	Kind, Text string
	At         time.Time // of the last occurrence
	Count      int64     // occurrences since there was none for FaultFor
	logged     time.Time
}

const (
	// FaultFor is how long a fault is reported after its last occurrence.
	FaultFor = 10 * time.Minute
	// faultLogged is the least time between two log messages about it.
	faultLogged = time.Minute
	// forgetHostAfter is how long a host that is not expected is kept after its last message.
	forgetHostAfter = 7 * 24 * time.Hour
)

// fault records a violation by a host, and logs it at most once per faultLogged.
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
		if now.Sub(x.At) >= FaultFor {
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

// Hosts returns all hosts that sent since this process started, and those that are expected, sorted
// by name. The result belongs to the caller.
func (r *Receiver) Hosts() []Host {
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	hosts := make([]Host, 0, len(r.hosts))
	for _, h := range r.hosts {
		x := *h
		x.sessions = nil
		x.Faults = slices.DeleteFunc(slices.Clone(h.Faults), func(f Fault) bool { return now.Sub(f.At) >= FaultFor })
		x.Shared = h.interleaved.text(h.Name, now)
		hosts = append(hosts, x)
	}
	slices.SortFunc(hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return hosts
}

// room reports whether one more host can be kept. If the limit is reached, the host is forgotten
// that never sent a line and was not seen for the longest time.
func (r *Receiver) room(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts[host] != nil || len(r.hosts) < maxHosts {
		return true
	}
	var idle []*Host
	for _, h := range r.hosts {
		if h.Connections == 0 && h.Lines == 0 && r.cfg.Checkpoint.Declared.Usage(h.Name) == 0 {
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

// forgetHost removes a host, also from the list of expected hosts. r.mu must be held.
func (r *Receiver) forgetHost(h *Host) {
	delete(r.hosts, h.Name)
	if r.cfg.Checkpoint.Expected.Set(h.Name, false) {
		r.unsaved.Store(true)
	}
}

// forgetHosts removes hosts that moved to another collector long ago.
func (r *Receiver) forgetHosts(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hosts {
		if h.Connections == 0 && !h.Missed && now.Sub(h.Seen) >= forgetHostAfter {
			r.forgetHost(h)
		}
	}
}

// note changes the state of a host that has just sent something; a new host is added.
func (r *Receiver) note(host string, change func(*Host)) {
	r.change(host, func(h *Host) {
		h.Seen, h.Earlier = r.cfg.Now(), false
		change(h)
	})
}

// change changes the state of a host without a message from it: when the kernel gives up the
// connection of a dead host, minutes after its last message, its silence must not begin again.
func (r *Receiver) change(host string, change func(*Host)) {
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
	change(h)
}
