package monitor

import (
	"strings"
	"time"

	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
	"sluice/monitor/watch"
)

// elsewhereFor is the time, in which this process ran, for which a host counts as being with another
// collector after it reported that. Agents repeat it every 10 min. Without repetition the host may
// be dead, and its collector, too.
const elsewhereFor = 25 * time.Minute

// Remember adds the stored state (package watch) to the hosts, and adds the expected hosts that
// have sent nothing to this process. It removes the hosts that send to another collector, have
// nothing here and are not expected. silence returns the awake time since a host was last heard.
func (f *Fleet) Remember(hosts map[string]watch.Host, silence func(*watch.Host) time.Duration) {
	for name, r := range hosts {
		x, present := f.Hosts[name]
		expected := r.ExpectedUnix != 0
		if !present {
			if !expected {
				continue
			}
			x = Host{Agent: r.Agent}
		}
		x.lossSeen, x.lossSeenNumber, x.Acknowledged, x.Restarts = r.Seen, r.SeenNumber, r.Ack, r.RestartsAt(f.Now)
		if expected {
			x.ExpectedSince = time.Unix(r.ExpectedUnix, 0).UTC()
		}
		if !x.heard {
			x.recall(f.Now, &r)
			x.missed = x.missed || expected
		}
		x.missed = x.missed || expected && x.Elsewhere
		if s := silence(&r); !x.heard || s < x.silence {
			x.silence = s
		}
		if x.missed && x.Elsewhere && x.silence > elsewhereFor {
			x.Elsewhere, x.away, x.lapsed = false, false, true
		}
		x.NeverHeard = expected && !x.heard && r.HeardUnix == 0
		f.Hosts[name] = x
	}
	for name, x := range f.Hosts {
		if x.absent && x.ExpectedSince.IsZero() {
			delete(f.Hosts, name)
		}
		if x.NeverHeard {
			x.similar = f.similar(name)
			f.Hosts[name] = x
		}
	}
}

// recall sets the stored state of a host that has sent nothing to this process.
func (h *Host) recall(now time.Time, r *watch.Host) {
	if r.HeardUnix != 0 {
		h.SeenSeconds = max(0, now.Sub(time.Unix(r.HeardUnix, 0)).Seconds())
	} else if r.ExpectedUnix != 0 {
		h.SeenSeconds = max(0, now.Sub(time.Unix(r.ExpectedUnix, 0)).Seconds())
	}
	if h.Agent == "" {
		h.Agent = r.Agent
	}
	h.lose(r.Lost)
	h.Elsewhere = h.Elsewhere || r.Elsewhere
	h.away = h.Elsewhere
	if r.ExpiresUnix != 0 {
		h.certificateIssued, h.CertificateExpires = time.Unix(r.IssuedUnix, 0).UTC(), time.Unix(r.ExpiresUnix, 0).UTC()
	}
}

// similar returns a host that sends, is not expected, and whose name without domain is equal to
// that of name. "": there is none.
func (f *Fleet) similar(name string) string {
	short, _, _ := strings.Cut(name, ".")
	for other, x := range f.Hosts {
		if first, _, _ := strings.Cut(other, "."); x.heard && x.ExpectedSince.IsZero() && other != name && strings.EqualFold(first, short) {
			return other
		}
	}
	return ""
}

// SeenOf returns the part of a host's state that is to be stored.
func SeenOf(h *receiver.Host) watch.Seen {
	s := watch.Seen{Host: h.Name, Missed: h.Missed}
	if h.Earlier {
		return s
	}
	s.Heard, s.Agent, s.StartedMs, s.Elsewhere, s.Issued, s.Expires = h.Seen, h.Agent, h.StartedMs, h.Elsewhere, h.Issued, h.Expires
	if _, ok := h.Beat.Counters[protocol.LostFiles]; ok {
		lost := lossOf(h.Beat.Counters)
		s.Lost = &lost
	}
	return s
}

// lossOf returns the losses in a heartbeat's counters.
func lossOf(c map[string]int64) watch.Loss {
	return watch.Loss{Files: c[protocol.LostFiles], Bytes: c[protocol.LostBytes], First: c[protocol.FirstLoss], Last: max(0, c[protocol.LastLoss])}
}
