package agent

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"sluice/retry"
)

// Route decides to which of its collectors a host connects, and when it tries again. It is used by
// one goroutine. It has no clock of its own, so that the same decisions can be simulated for
// thousands of hosts (package test/scale).
type Route struct {
	order         []string // the collectors, the preferred one first
	failoverAfter time.Duration
	at            int       // the present one, in order
	away          time.Time // since when the present one does not answer
	backoff       retry.Backoff
}

// NewRoute returns the route of a host that has not connected yet. After a collector has not
// answered for failoverAfter the next one is tried; 0 is never.
func NewRoute(host string, collectors []string, failoverAfter time.Duration, now time.Time) *Route {
	return &Route{
		order: Preference(host, collectors), failoverAfter: failoverAfter, away: now,
		backoff: retry.Backoff{First: 2 * firstPause, Max: 2 * maxPause, Spread: true},
	}
}

// Present returns the collector to connect to.
func (r *Route) Present() string { return r.order[r.at] }

// Preferred returns the collectors that the host prefers to the present one, the first choice
// first.
func (r *Route) Preferred() []string { return r.order[:r.at] }

// LookInterval is the time between two attempts to reach the collectors of Preferred.
func (r *Route) LookInterval() time.Duration { return max(r.failoverAfter, time.Second) }

// Return makes a collector of Preferred the present one: it is available again.
func (r *Route) Return(collector string, now time.Time) {
	r.at, r.away = max(slices.Index(r.order, collector), 0), now
}

// Failed is called when a connection to the present collector could not be made, or ended;
// connected is that the collector had answered on it. Either the next collector is now the present
// one, to be tried at once (moved), or the same one is to be tried again after the pause.
func (r *Route) Failed(now time.Time, connected bool) (pause time.Duration, moved bool) {
	if connected {
		r.away = now
		r.backoff.Reset()
	}
	if r.failoverAfter > 0 && len(r.order) > 1 && now.Sub(r.away) >= r.failoverAfter {
		r.at, r.away = (r.at+1)%len(r.order), now
		r.backoff.Reset()
		return 0, true
	}
	return r.backoff.Next(), false
}

// Preference sorts collectors for a host by rendezvous hashing: each host has an order of its own,
// and a collector that is added or removed moves only its own hosts.
func Preference(host string, collectors []string) []string {
	weight := func(address string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(host + "\x00" + address)) //nolint:errcheck // it never fails
		x := h.Sum64()                           // FNV's high bits hardly change with the last byte: mix, as SplitMix64 does
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return x ^ x>>31
	}
	order := slices.Clone(collectors)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(weight(b), weight(a)) })
	return order
}
