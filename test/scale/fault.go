package scale

import (
	"fmt"
	"time"

	"sluice/ingest/agent"
	"sluice/schema"
)

// fault executes a step of the plan.
func (w *world) fault(s step) {
	switch s.verb {
	case "kill":
		for _, c := range w.choose(s.n) {
			c.up = false
			w.broken(c)
		}
	case "end kill":
		for _, c := range w.collectors {
			c.up = true
		}
	case "lose":
		for _, c := range w.choose(s.n) {
			c.lost = true
			w.broken(c)
		}
		w.configure(time.Minute)
	case "add":
		for range s.n {
			w.addCollector()
		}
		w.configure(s.over)
	case "split":
		w.split = true
		for _, h := range w.hosts {
			if h.cut = w.rand.Float64() < s.part; h.cut && h.at != nil && !w.reaches(h, h.at) {
				w.disconnected(h)
			}
		}
	case "end split":
		w.split = false
	case "hbase":
		w.hbasePart = s.part
	case "end hbase":
		w.hbasePart = 1
	default:
		panic(fmt.Sprintf("step %q was parsed and is not known", s.verb))
	}
	w.out.step(w, s)
}

// choose returns n running collectors, at random.
func (w *world) choose(n int) (chosen []*collector) {
	for _, i := range w.rand.Perm(len(w.collectors)) {
		if c := w.collectors[i]; c.up && !c.lost && len(chosen) < n {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// broken ends the connections to a collector that was stopped. What it received stays on its disk.
func (w *world) broken(c *collector) {
	for _, h := range w.hosts {
		if h.at == c {
			w.disconnected(h)
		}
	}
}

// configure restarts each agent within a time, with the list of the present collectors.
func (w *world) configure(within time.Duration) {
	names := w.names()
	for _, h := range w.hosts {
		h.session++
		h.at, h.connected, h.sent = nil, false, schema.Range{}
		h.leaving, h.returned = 0, false
		// Lines that were only in the window are read again.
		h.route = agent.NewRoute(h.name, names, w.cfg.FailoverAfter, w.clock())
		w.later(time.Duration(w.rand.Int64N(int64(within)+1)), connect, h)
	}
}

// unstored returns how many bytes are not known to be stored by a collector that still has its disk.
func (w *world) unstored() (n int64) {
	for _, h := range w.hosts {
		n += w.missing(h)
	}
	return n
}

// missing returns how many bytes of a host's log no collector has stored.
func (w *world) missing(h *host) (n int64) {
	var stored schema.RangeSet
	for _, c := range w.collectors {
		if p := c.positions[h.number]; p != nil {
			for _, r := range p.stored {
				stored.Add(r)
			}
		}
	}
	for _, r := range stored.Missing(schema.Range{End: int64(h.written)}) {
		n += r.Len()
	}
	return n
}

// drained reports whether everything is stored that was written.
func (w *world) drained() bool {
	if int64(w.now)%int64(time.Minute) != 0 {
		return false // the exact answer below is expensive
	}
	for _, c := range w.collectors {
		if !c.lost && (c.backlog > 0 || len(c.open) > 0 || len(c.sealed) > 0) {
			return false
		}
	}
	for _, h := range w.hosts {
		if h.at == nil || h.acked < int64(h.written) {
			return false
		}
	}
	return true
}

// check fails if a byte is missing, and counts those that are stored twice.
func (w *world) check() error {
	for _, h := range w.hosts {
		if n := w.missing(h); n > 0 {
			return fmt.Errorf("%s: %d of %d bytes are not stored", h.name, n, int64(h.written))
		}
		if h.stored > int64(h.written) {
			return fmt.Errorf("%s: %d bytes count as stored, %d were written", h.name, h.stored, int64(h.written))
		}
		w.out.written += int64(h.written)
	}
	for _, c := range w.collectors {
		for _, p := range c.positions {
			for _, r := range p.stored {
				w.out.storedBytes += r.Len()
			}
		}
	}
	return nil
}
