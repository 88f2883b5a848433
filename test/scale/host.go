package scale

import (
	"fmt"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/governor"
	"sluice/retry"
	"sluice/schema"
)

// host is a web server with one log and its agent.
type host struct {
	number int32
	name   string
	rate   float64 // bytes a second in the mean of the day
	loaded bool    // its processors are always busy
	cut    bool    // it is on the far side of a split

	written   float64
	writtenAt time.Duration

	route   *agent.Route
	at      *collector // nil: not connected
	session int32      // counts connections and attempts

	// Positions in the log, as the agent has them: up to acked some collector has acknowledged it,
	// up to stored one has said that it is stored.
	acked, stored int64
	reached       int64        // the greatest acked that there was
	claimed       int64        // reported as stored to the present collector
	sent          schema.Range // in flight
	connected     bool         // the present collector has answered
	busy          retry.Backoff
	leaving       time.Duration // since when nothing is sent, before a return; 0: not
	returned      bool          // the present connection is a return

	governor *governor.Governor // nil: the host was never behind
	used     time.Duration      // CPU time
}

// write lets the log grow until now.
func (w *world) write(h *host) {
	if d := w.now - h.writtenAt; d > 0 && !w.draining {
		h.written += h.rate * rhythm(w.now-d/2) * d.Seconds()
	}
	h.writtenAt = w.now
}

// connect tries the host's present collector.
func (w *world) connect(h *host) {
	c := w.byName[h.route.Present()]
	h.session++
	h.connected = false
	w.out.attempt(w.now)
	if !w.reaches(h, c) {
		// A running machine rejects a connection at once; one beyond a split does not answer.
		wait := time.Millisecond
		if c.up && !c.lost {
			wait = dialTimeout
		}
		h.at = nil
		w.later(wait, failed, h)
		return
	}
	h.at = c
	c.handshakes++
	w.later(c.work(w.now, handshakeCost), connected, h)
}

// disconnected determines, by the route, the next collector to connect to and when.
func (w *world) disconnected(h *host) {
	wasConnected := h.connected
	h.at, h.connected, h.sent = nil, false, schema.Range{}
	h.session++
	h.leaving, h.returned = 0, false
	pause, moved := h.route.Failed(w.clock(), wasConnected)
	if moved {
		w.out.failovers++
	}
	w.later(pause, connect, h)
}

// welcome handles the collector's reply to hello, which has the position to read from.
func (w *world) welcome(h *host) {
	if !w.reaches(h, h.at) {
		w.disconnected(h)
		return
	}
	h.connected = true
	h.busy = retry.Backoff{First: 250 * time.Millisecond, Max: 10 * time.Second}
	p := h.at.position(h.number)
	h.learn(p)
	// As agent.session.acceptPosition: a received position beyond what this agent knows to be
	// acknowledged is ignored.
	from := max(h.stored, min(p.received.ReachFrom(h.stored), h.acked))
	w.out.again += max(h.acked-from, 0)
	if h.returned {
		w.out.returns++
		w.out.againReturned += max(h.acked-from, 0)
		h.returned = false
	}
	h.acked, h.claimed = from, h.stored
	if len(h.route.Preferred()) > 0 {
		w.later(h.route.LookInterval(), look, h)
	}
	w.poll(h)
}

// learn updates the stored position by the collector's.
func (h *host) learn(p *position) {
	h.stored = max(h.stored, p.stored.PrefixOver(p.gaps))
}

// poll reads the bytes that were written since the last poll, and sends them.
func (w *world) poll(h *host) {
	w.write(h)
	if !w.reaches(h, h.at) { // noticed when something is sent, or by a heartbeat
		w.disconnected(h)
		return
	}
	h.learn(h.at.position(h.number))
	if h.leaving > 0 {
		w.later(pollInterval, poll, h)
		return
	}
	want := min(int64(h.written)-h.acked, maxBatchBytes)
	if want <= 0 {
		w.later(pollInterval, poll, h)
		return
	}
	if want > behindBytes {
		if want = w.govern(h, want); want == 0 {
			w.later(catchUpPoll, poll, h)
			return
		}
	}
	if h.at.full(w.cfg.SpoolMaxBytes) {
		w.out.busy++
		w.later(h.busy.Next(), poll, h)
		return
	}
	h.busy.Reset()
	h.sent = schema.Range{Start: h.acked, End: h.acked + want}
	h.used += time.Duration(float64(want) * agentCost)
	cost := float64(want) / lineBytes / w.cfg.CollectorLinesPerSecond * float64(time.Second)
	w.later(h.at.work(w.now, time.Duration(cost)), received, h)
}

// govern returns how much of want the host's governor allows to be read now.
func (w *world) govern(h *host, want int64) int64 {
	if h.governor == nil {
		root := w.calmRoot
		if h.loaded {
			root = w.busyRoot
		}
		g, err := governor.New(governor.Config{CPUShare: w.cfg.AgentCPU, Root: root, Usage: func() time.Duration { return h.used }, Now: w.clock, Log: w.log})
		if err != nil {
			panic(err) // only for a CPU share below 0
		}
		h.governor = g
	}
	if h.loaded {
		w.writePressure()
	}
	n := h.governor.Allow(int(want))
	h.governor.Read(n)
	if n < int(want) {
		w.out.held++
	}
	return int64(n)
}

// acknowledge handles the collector's receipt: the range that was sent is on its disk.
func (w *world) acknowledge(h *host) {
	if !w.reaches(h, h.at) {
		w.disconnected(h)
		return
	}
	w.receive(h.at, h, h.sent)
	h.acked, h.sent = h.sent.End, schema.Range{}
	h.reached = max(h.reached, h.acked)
	w.write(h)
	if int64(h.written)-h.acked > behindBytes {
		w.poll(h)
		return
	}
	w.later(pollInterval, poll, h)
}

// look tries to connect to the collectors that the host prefers to the present one.
func (w *world) look(h *host) {
	for _, name := range h.route.Preferred() {
		w.out.attempt(w.now)
		if c := w.byName[name]; w.reaches(h, c) {
			if after := w.leave(h); after > 0 {
				w.later(after, look, h)
				return
			}
			c.handshakes++
			h.route.Return(name, w.clock())
			h.session++
			h.at, h.sent = nil, schema.Range{}
			h.leaving, h.returned = 0, true
			w.later(0, connect, h)
			return
		}
	}
	h.leaving = 0
	w.later(h.route.LookInterval(), look, h)
}

// leave prepares a return. It returns 0 if the host may return now, otherwise the time after which it
// asks again.
func (w *world) leave(h *host) time.Duration {
	if !w.reaches(h, h.at) {
		return h.route.LookInterval()
	}
	h.learn(h.at.position(h.number))
	switch w.cfg.Return {
	case returnAtOnce:
	case returnNever:
		return time.Hour
	case returnStored:
		if h.acked-h.stored > returnBytes {
			return h.route.LookInterval()
		}
	case returnSealed:
		if h.leaving == 0 {
			h.leaving = w.now
		}
		if w.now-h.leaving >= agent.MaxLeaving { // lines wait meanwhile
			return 0
		}
		if h.sent.Len() > 0 {
			return tickInterval
		}
		if s := h.at.open[h.number]; s != nil {
			h.at.seal(s)
		}
		if h.acked > h.stored {
			return tickInterval
		}
	default:
		panic(fmt.Sprintf("hosts return %q, which is not known", w.cfg.Return))
	}
	return 0
}
