package admission

import (
	"fmt"
	"net/netip"
	"time"
)

const (
	// reportTime is how long rejected connections are reported after the last one.
	reportTime = 5 * time.Minute
	// maxReported limits the peers whose rejected connections are counted.
	maxReported = 1000
)

// rejections counts recent connections that were not served, or not at once, by peer.
type rejections struct {
	since, last time.Time
	total       int64
	peers       map[netip.Prefix]int64
}

func (r *rejections) add(from netip.Prefix, now time.Time) {
	if r.peers == nil || now.Sub(r.since) >= reportTime {
		*r = rejections{since: now, peers: map[netip.Prefix]int64{}}
	}
	r.last = now
	r.total++
	if _, known := r.peers[from]; known || len(r.peers) < maxReported {
		r.peers[from]++
	}
}

// late reports whether there was one within reportTime.
func (r *rejections) late(now time.Time) bool { return r.total > 0 && now.Sub(r.last) < reportTime }

// most describes the peer with the most of them.
func (r *rejections) most() string {
	var most netip.Prefix
	for peer, n := range r.peers {
		if n > r.peers[most] || n == r.peers[most] && peer.Addr().Less(most.Addr()) {
			most = peer
		}
	}
	return fmt.Sprintf("%d of them from %s", r.peers[most], peerText(most))
}

// crowded counts recent connections that were closed because of the limit for one certificate.
type crowded struct {
	names       string // of the certificate of the last one
	since, last time.Time
	total       int64
}

func (c *crowded) add(names string, now time.Time) {
	if c.names != names || now.Sub(c.last) >= reportTime {
		*c = crowded{names: names, since: now}
	}
	c.last = now
	c.total++
}

// Failure is an error because of which no connection can be accepted, such as too many open files.
type Failure struct {
	Err      error // nil: connections are accepted
	Since    time.Time
	Attempts int
}

// AcceptFailed records that a connection could not be accepted. The next Admit ends it.
func (g *Gate) AcceptFailed(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, f := g.now(), &g.failure
	if f.Err == nil {
		f.Since = now
	}
	f.Err = err
	f.Attempts++
	if now.Sub(g.failureLogged) >= logInterval {
		g.failureLogged, g.failureReported = now, true
		g.log.Warn("cannot accept connections, retrying", "err", err, "attempts", f.Attempts)
	}
}

// accepted ends a failure. g.mu must be held.
func (g *Gate) accepted(now time.Time) {
	if g.failureReported {
		g.log.Info("connections are accepted again", "after", now.Sub(g.failure.Since).Round(time.Millisecond), "attempts", g.failure.Attempts)
	}
	g.failure, g.failureReported = Failure{}, false
}

// Failing returns the present failure.
func (g *Gate) Failing() Failure {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failure
}

// Warnings returns warnings for operators: that connections cannot be accepted, and that some were
// rejected or had to wait within the last minutes, with the address of most of them.
func (g *Gate) Warnings() (warnings []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, r := g.now(), &g.recent
	if f := g.failure; f.Err != nil {
		warnings = append(warnings, fmt.Sprintf("connections cannot be accepted since %s, %d attempts: %v", f.Since.UTC().Format(time.RFC3339), f.Attempts, f.Err))
	}
	if r.late(now) {
		warnings = append(warnings, fmt.Sprintf("connection limit reached (%d, %d of one address): %d connections rejected, or closed to serve others, since %s; %s",
			g.limits.Conns, g.limits.ConnsPerPeer, r.total, r.since.UTC().Format(time.RFC3339), r.most()))
	}
	if c := &g.crowded; c.total > 0 && now.Sub(c.last) < reportTime {
		warnings = append(warnings, fmt.Sprintf("too many connections with the certificate for %.100q (limit %d for each host): %d closed since %s: look which machines use it",
			c.names, g.limitOfCertificate(), c.total, c.since.UTC().Format(time.RFC3339)))
	}
	if d := &g.delayed; d.late(now) {
		warnings = append(warnings, fmt.Sprintf("too many new connections: %d had to wait since %s; %s", d.total, d.since.UTC().Format(time.RFC3339), d.most()))
	}
	return warnings
}

// peerText describes a peer: an IPv4 address without its mask.
func peerText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
