package watch

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Host is the stored state of a host. Fields in Unix are seconds since 1970, 0: none.
type Host struct {
	// ExpectedUnix is the time since which the host is expected. 0: it is not.
	ExpectedUnix int64 `json:"expected,omitempty"`
	// HeardUnix is when the host last sent something. HeardMs is the awake time then, or at
	// ExpectedUnix if the host has sent nothing yet.
	HeardUnix int64 `json:"heard,omitempty"`
	HeardMs   int64 `json:"heard_awake_ms,omitempty"`
	// Elsewhere is true if the host reported that it sends to another collector.
	Elsewhere bool   `json:"elsewhere,omitempty"`
	Agent     string `json:"agent,omitempty"`
	// StartedMs is when its agent was started, by the host's clock, in ms since 1970.
	StartedMs int64 `json:"started_ms,omitempty"`
	// StartedBeforeMs is StartedMs of the start before that one.
	StartedBeforeMs int64   `json:"started_before_ms,omitempty"`
	Restarts        []int64 `json:"restarts,omitempty"`
	// Lost is what the host reports as lost. Seen is how much of it was acknowledged here, and
	// SeenNumber the Last of Lost at that time.
	Lost       Loss  `json:"lost,omitzero"`
	Seen       Loss  `json:"lost_acknowledged,omitzero"`
	SeenNumber int64 `json:"lost_acknowledged_number,omitempty"`
	// IssuedUnix and ExpiresUnix are the validity of the host's certificate.
	IssuedUnix  int64 `json:"certificate_issued,omitempty"`
	ExpiresUnix int64 `json:"certificate_expires,omitempty"`
	// Ack is an operator's acknowledgement. nil: none.
	Ack *Ack `json:"acknowledged,omitempty"`
}

// Loss counts logs, and their bytes, that were deleted before they were read, as an agent reports
// them until they are acknowledged.
type Loss struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// First is the number of the oldest loss that is counted, and Last the greatest number that the
	// agent has ever given to a loss. 0: none, or an agent of an older version.
	First int64 `json:"first,omitempty"`
	Last  int64 `json:"last,omitempty"`
}

// Unacknowledged returns the part of Lost that was not acknowledged here.
func (h *Host) Unacknowledged() Loss {
	seen := h.Seen
	switch {
	case h.Lost.Last == 0: // an older version, without numbers
	case h.Lost.Last == h.SeenNumber:
		return Loss{}
	case h.Lost.Last < h.SeenNumber, h.Lost.First > h.SeenNumber:
		seen = Loss{} // the numbers begin anew, or what was acknowledged is not counted any more
	}
	return Loss{Files: max(0, h.Lost.Files-seen.Files), Bytes: max(0, h.Lost.Bytes-seen.Bytes)}
}

// lose stores what the host reports as lost.
func (h *Host) lose(lost Loss) {
	h.Lost = lost
	if lost.Last < h.SeenNumber { // its checkpoint is another one now, or its agent of an older version
		h.SeenNumber = 0
	}
	// Losses that were acknowledged on the host itself are not in its count any more.
	h.Seen = Loss{Files: min(h.Seen.Files, lost.Files), Bytes: min(h.Seen.Bytes, lost.Bytes)}
	if lost.Last > 0 && lost.First > h.SeenNumber {
		h.Seen = Loss{}
	}
}

const (
	maxRestarts = 16
	// RestartWindow is the time over which restarts are counted.
	RestartWindow = 10 * time.Minute
	// forgetAfter is the time without a message after which a host is removed that is neither
	// expected nor missed.
	forgetAfter = 7 * 24 * time.Hour
)

// RestartsAt returns the number of restarts of the agent in the last RestartWindow.
func (h *Host) RestartsAt(now time.Time) (n int) {
	for _, at := range h.Restarts {
		if now.Sub(time.Unix(at, 0)).Abs() < RestartWindow { // a later one: this clock was ahead
			n++
		}
	}
	return n
}

// Seen is what this process knows of a host, as passed to Observe.
type Seen struct {
	Host  string
	Heard time.Time // zero: nothing in this process
	Agent string
	// StartedMs is 0 if the agent does not report it.
	StartedMs int64
	// Lost is nil if the agent has not reported it yet.
	Lost      *Loss
	Elsewhere bool
	// Issued and Expires are the validity of its certificate. Zero: unknown.
	Issued, Expires time.Time
	// Missed is true if silence of the host is a problem although it is not expected.
	Missed bool
}

// Observe stores what this process knows of its hosts. awake is how long this process ran.
func (f *File) Observe(now time.Time, awake time.Duration, hosts []Seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.respell(hosts)
	missed := map[string]bool{}
	for i := range hosts {
		s := &hosts[i]
		missed[s.Host] = s.Missed
		h := f.host(s.Host, now)
		if h == nil {
			continue
		}
		if h.HeardMs == 0 && h.HeardUnix == 0 && h.ExpectedUnix == 0 { // known from a checkpoint only
			h.HeardMs = max(1, (f.began + awake).Milliseconds())
		}
		if s.Heard.IsZero() {
			continue
		}
		heard := time.Duration(max(0, now.Sub(s.Heard)))
		h.HeardUnix = now.Add(-heard).Unix()
		h.HeardMs = max(h.HeardMs, (f.began + max(0, awake-heard)).Milliseconds())
		f.changed = true
		f.note(h, s, now)
	}
	for name, h := range f.doc.Hosts {
		old := h.HeardUnix == 0 || now.Sub(time.Unix(h.HeardUnix, 0)) >= forgetAfter
		if h.ExpectedUnix == 0 && h.Ack == nil && !missed[name] && old {
			delete(f.doc.Hosts, name)
			f.changed = true
		}
	}
}

// respell moves the state of a host that is stored under another spelling to the name that it uses:
// one that was expected as WEB01 sends as web01. f.mu is held.
func (f *File) respell(hosts []Seen) {
	used, names := map[string]string{}, map[string]bool{}
	for i := range hosts {
		used[canonical(hosts[i].Host)], names[hosts[i].Host] = hosts[i].Host, true
	}
	for stored, h := range f.doc.Hosts {
		name, known := used[canonical(stored)]
		if !known || names[stored] {
			continue
		}
		if x := f.doc.Hosts[name]; x != nil { // as an earlier version stored it, twice
			x.ExpectedUnix, x.Ack = cmp.Or(x.ExpectedUnix, h.ExpectedUnix), cmp.Or(x.Ack, h.Ack)
		} else {
			f.doc.Hosts[name] = h
		}
		delete(f.doc.Hosts, stored)
		f.changed, f.urgent = true, true
	}
}

// note stores what a host reported about itself. f.mu is held.
func (f *File) note(h *Host, s *Seen, now time.Time) {
	h.Agent = cmp.Or(s.Agent, h.Agent)
	f.urgent = f.urgent || h.Elsewhere != s.Elsewhere
	h.Elsewhere = s.Elsewhere
	h.start(s.StartedMs, now)
	if s.Lost != nil && *s.Lost != h.Lost {
		h.lose(*s.Lost)
		f.urgent = true
	}
	if !s.Expires.IsZero() {
		h.IssuedUnix, h.ExpiresUnix = s.Issued.Unix(), s.Expires.Unix()
	}
}

// start stores the start time that the host's agent reports, and a restart if it is another one.
// It may be earlier than the last one: the clock of a host may have been ahead. The start before
// that is no restart: two agents that use one name report theirs in turn, which is reported as such.
// A restart is not saved at once, so that a hostile sender does not make a write of each heartbeat;
// after a kill it is reported again.
func (h *Host) start(startedMs int64, now time.Time) {
	if startedMs <= 0 || startedMs == h.StartedMs || startedMs == h.StartedBeforeMs {
		return
	}
	if h.StartedMs > 0 {
		h.Restarts = append(h.Restarts, now.Unix())
		h.Restarts = slices.Clone(h.Restarts[max(0, len(h.Restarts)-maxRestarts):])
	}
	h.StartedBeforeMs, h.StartedMs = h.StartedMs, startedMs
}

// host returns the state of a host and creates it if needed. nil: maxHosts is reached. f.mu is
// held.
func (f *File) host(name string, now time.Time) *Host {
	h := f.doc.Hosts[name]
	if h != nil {
		return h
	}
	if len(f.doc.Hosts) >= maxHosts && !f.evict(now) {
		return nil
	}
	h = &Host{}
	f.doc.Hosts[name], f.changed = h, true
	return h
}

// evict removes the host that was silent for the longest time and is neither expected nor
// acknowledged. It reports whether there was one. f.mu is held.
func (f *File) evict(now time.Time) bool {
	oldest, at := "", now.Unix()
	for name, h := range f.doc.Hosts {
		if h.ExpectedUnix == 0 && h.Ack == nil && h.HeardUnix < at {
			oldest, at = name, h.HeardUnix
		}
	}
	delete(f.doc.Hosts, oldest)
	return oldest != ""
}

// Expect replaces the list of expected hosts. A host that was expected before keeps its
// ExpectedUnix.
func (f *File) Expect(now time.Time, awake time.Duration, hosts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	named, stored := map[string]bool{}, map[string]string{}
	for name := range f.doc.Hosts {
		stored[canonical(name)] = name
	}
	for _, name := range hosts {
		named[canonical(name)] = true
		if f.doc.Hosts[name] == nil {
			name = cmp.Or(stored[canonical(name)], name)
		}
		stored[canonical(name)] = name
		h := f.host(name, now)
		if h == nil || h.ExpectedUnix != 0 {
			continue
		}
		h.ExpectedUnix = now.Unix()
		if h.HeardUnix == 0 {
			h.HeardMs = (f.began + awake).Milliseconds()
		}
		f.changed, f.urgent = true, true
	}
	for name, h := range f.doc.Hosts {
		if h.ExpectedUnix != 0 && !named[canonical(name)] {
			h.ExpectedUnix = 0
			f.changed, f.urgent = true, true
		}
	}
}

// Expected returns the names of the expected hosts.
func (f *File) Expected() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, h := range f.doc.Hosts {
		if h.ExpectedUnix != 0 {
			names = append(names, name)
		}
	}
	return names
}

// spelled returns the name under which a host is stored already, which may differ in case or in
// a final dot, else name. f.mu is held.
func (f *File) spelled(name string) string {
	if f.doc.Hosts[name] != nil {
		return name
	}
	want := canonical(name)
	for known := range f.doc.Hosts {
		if canonical(known) == want {
			return known
		}
	}
	return name
}

// canonical returns the same text for names that are equal in DNS: ASCII case and a final dot make no
// difference. strings.ToLower is not used because it also changes other characters: U+212A to k.
func canonical(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, strings.TrimSuffix(name, "."))
}

// Retire removes all state of hosts, so that they are not expected any more.
func (f *File) Retire(hosts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range hosts {
		if name = f.spelled(name); f.doc.Hosts[name] != nil {
			delete(f.doc.Hosts, name)
			f.changed, f.urgent = true, true
		}
	}
}

// Hosts returns a copy of the state of all hosts.
func (f *File) Hosts() map[string]Host {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]Host, len(f.doc.Hosts))
	for name, h := range f.doc.Hosts {
		x := *h
		x.Restarts = slices.Clone(h.Restarts)
		all[name] = x
	}
	return all
}

// Silence returns the awake time since h was last heard, over restarts. awake is how long this
// process ran.
func (f *File) Silence(h *Host, awake time.Duration) time.Duration {
	return max(0, f.began+awake-time.Duration(h.HeardMs)*time.Millisecond)
}
