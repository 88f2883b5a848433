package watch

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Host is what is remembered of a host. Times are seconds since 1970, 0: none.
type Host struct {
	// ExpectedUnix is since when the host is expected; it is while it is not 0.
	ExpectedUnix int64 `json:"expected,omitempty"`
	// HeardUnix is when the host last sent something, HeardMs the awake time then (of
	// ExpectedUnix while nothing was heard).
	HeardUnix int64 `json:"heard,omitempty"`
	HeardMs   int64 `json:"heard_awake_ms,omitempty"`
	// Elsewhere: it said that it is with another collector.
	Elsewhere bool   `json:"elsewhere,omitempty"`
	Agent     string `json:"agent,omitempty"`
	// StartedMs is when its agent's process started, by its own clock, in ms since 1970.
	StartedMs int64   `json:"started_ms,omitempty"`
	Restarts  []int64 `json:"restarts,omitempty"`
	// Lost is what it reports as lost, Seen how much of that was acknowledged here.
	Lost Loss `json:"lost,omitzero"`
	Seen Loss `json:"lost_acknowledged,omitzero"`
	// IssuedUnix and ExpiresUnix are between when its certificate is valid.
	IssuedUnix  int64 `json:"certificate_issued,omitempty"`
	ExpiresUnix int64 `json:"certificate_expires,omitempty"`
	// Ack is an operator's acknowledgement; nil: there is none.
	Ack *Ack `json:"acknowledged,omitempty"`
}

// Loss counts logs, and bytes of them, that were deleted before they were read.
type Loss struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// less returns what of l is not in seen.
func (l Loss) less(seen Loss) Loss {
	return Loss{max(0, l.Files-seen.Files), max(0, l.Bytes-seen.Bytes)}
}

// Unacknowledged is what of Lost nobody acknowledged here.
func (h *Host) Unacknowledged() Loss { return h.Lost.less(h.Seen) }

const (
	maxRestarts = 16
	// RestartWindow is the time in which restarts count together.
	RestartWindow = 10 * time.Minute
	// forgetAfter a host is forgotten that nobody expects and that is elsewhere or unknown.
	forgetAfter = 7 * 24 * time.Hour
)

// RestartsAt is how often its agent restarted in the last RestartWindow.
func (h *Host) RestartsAt(now time.Time) (n int) {
	for _, at := range h.Restarts {
		if now.Sub(time.Unix(at, 0)) < RestartWindow {
			n++
		}
	}
	return n
}

// Seen is what a process saw of a host.
type Seen struct {
	Host  string
	Heard time.Time // zero: nothing in this process
	Agent string
	// StartedMs is 0 if the agent does not say it.
	StartedMs int64
	// Lost is nil if the agent has not said it yet.
	Lost      *Loss
	Elsewhere bool
	// Issued and Expires are between when its certificate is valid; zero: not known.
	Issued, Expires time.Time
	// Missed: the host is missed when it is silent, though nobody named it in advance.
	Missed bool
}

// Observe takes down what was seen of hosts.
func (f *File) Observe(now time.Time, awake time.Duration, hosts []Seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
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

// note takes down what a host said of itself. f.mu is held.
func (f *File) note(h *Host, s *Seen, now time.Time) {
	h.Agent = cmp.Or(s.Agent, h.Agent)
	f.urgent = f.urgent || h.Elsewhere != s.Elsewhere
	h.Elsewhere = s.Elsewhere
	if s.StartedMs > h.StartedMs {
		if h.StartedMs > 0 {
			h.Restarts = append(h.Restarts, now.Unix())
			h.Restarts = slices.Clone(h.Restarts[max(0, len(h.Restarts)-maxRestarts):])
			f.urgent = true
		}
		h.StartedMs = s.StartedMs
	}
	if s.Lost != nil && *s.Lost != h.Lost {
		h.Lost, f.urgent = *s.Lost, true
		// What was acknowledged on the host itself is not counted there any more.
		h.Seen = Loss{min(h.Seen.Files, h.Lost.Files), min(h.Seen.Bytes, h.Lost.Bytes)}
	}
	if !s.Expires.IsZero() {
		h.IssuedUnix, h.ExpiresUnix = s.Issued.Unix(), s.Expires.Unix()
	}
}

// host returns the host's entry, made if there is room for it; nil: there is none. f.mu is held.
func (f *File) host(name string, now time.Time) *Host {
	h := f.doc.Hosts[name]
	if h != nil {
		return h
	}
	if len(f.doc.Hosts) >= MaxHosts && !f.evict(now) {
		return nil
	}
	h = &Host{}
	f.doc.Hosts[name], f.changed = h, true
	return h
}

// evict forgets the host that was not heard for the longest and that nobody named.
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

// Expect replaces the hosts that are expected. Those that were keep the time from which on
// they are.
func (f *File) Expect(now time.Time, awake time.Duration, hosts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	named := map[string]bool{}
	for _, name := range hosts {
		named[canonical(name)] = true
		known := f.spelled(name)
		h := f.host(known, now)
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

// spelled is the name under which a host is known already, whose case or final dot may
// differ. f.mu is held.
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

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Retire forgets that hosts are expected, and all else of them.
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

// Hosts returns a copy of all that is remembered.
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

// Silence is for how long the process was awake and did not hear the host; awake is how
// long this process ran.
func (f *File) Silence(h *Host, awake time.Duration) time.Duration {
	return max(0, f.began+awake-time.Duration(h.HeardMs)*time.Millisecond)
}

// Expected returns the names of hosts that are expected, sorted.
func (f *File) Expected() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(maps.Collect(func(yield func(string, bool) bool) {
		for name, h := range f.doc.Hosts {
			if h.ExpectedUnix != 0 && !yield(name, true) {
				return
			}
		}
	})))
}
