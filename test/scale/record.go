package scale

import (
	"fmt"
	"strings"
	"time"
)

// record has the figures that are counted during a run.
type record struct {
	failovers, busy, held int
	again                 int64 // bytes that were acknowledged, and are sent again
	returns               int   // to preferred collectors
	againReturned         int64 // the part of again that returns caused
	written, storedBytes  int64
	files                 int
	fileBytes             int64

	second       time.Duration // of attempts
	inSecond     int
	peakAttempts int // in a second, of all hosts
	handshakes   int // the most in a tick, of one collector

	peakSpool int64
	most      recovery

	hours     []hour
	disturbed bool // this hour had a fault, or one that was not recovered from
	open      []*recovery
	done      []*recovery
}

// hour has the distribution of the load among the running collectors in an hour.
type hour struct {
	maxByMean float64
	calm      bool
}

// recovery is a step of the plan, and how long it took until nothing waited any more.
type recovery struct {
	text          string
	at            time.Duration
	took          time.Duration
	unread, again int64         // the most that no collector had, and that was to be sent again
	backlog       int64         // the most that waited for the table
	lag           time.Duration // of the oldest line that no collector had
}

func newRecord() *record { return &record{} }

// attempt counts an attempt to connect.
func (r *record) attempt(now time.Duration) {
	if s := now.Truncate(time.Second); s != r.second {
		r.second, r.inSecond = s, 0
	}
	r.inSecond++
	r.peakAttempts = max(r.peakAttempts, r.inSecond)
}

// store counts a segment that is stored.
func (r *record) store(s *segment) {
	r.files++
	r.fileBytes += compressed(s.bytes)
}

// step begins to measure the time that a step's effects last; its end begins it anew.
func (r *record) step(w *world, s step) {
	r.disturbed = true
	if strings.HasPrefix(s.verb, "end ") {
		for _, o := range r.open {
			if o.text == s.text {
				o.at = w.now
			}
		}
		return
	}
	r.open = append(r.open, &recovery{text: s.text, at: s.at + s.over})
}

// sample looks at everything: once a minute at all hosts, once an hour at the load.
func (r *record) sample(w *world) {
	for _, c := range w.collectors {
		r.handshakes = max(r.handshakes, c.handshakes)
		c.handshakes = 0
	}
	if w.now%time.Minute != 0 {
		return
	}
	var now recovery
	behind := false
	for _, h := range w.hosts {
		rate := h.rate * rhythm(w.now)
		written := h.written
		if !w.draining {
			written += rate * (w.now - h.writtenAt).Seconds()
		}
		unread := written - float64(h.reached)
		now.unread += int64(unread)
		now.again += h.reached - h.acked
		now.lag = max(now.lag, time.Duration(unread/rate*float64(time.Second)))
		behind = behind || written-float64(h.acked) > rate*2*time.Minute.Seconds()
	}
	for _, c := range w.collectors {
		if !c.lost {
			now.backlog += c.backlog
			r.peakSpool = max(r.peakSpool, c.spoolBytes)
		}
	}
	r.most.raise(&now)
	r.recover(w, &now, behind)
	if w.now%time.Hour == 0 {
		r.hour(w)
	}
}

// raise replaces each figure by a greater one.
func (x *recovery) raise(now *recovery) {
	x.unread, x.again, x.backlog, x.lag = max(x.unread, now.unread), max(x.again, now.again), max(x.backlog, now.backlog), max(x.lag, now.lag)
}

// recover ends the steps whose effects are over: no host has more than two minutes to send, and the
// table has what was received.
func (r *record) recover(w *world, now *recovery, behind bool) {
	kept := r.open[:0]
	rate := w.cfg.HBaseLinesPerSecond * lineBytes
	for _, o := range r.open {
		o.raise(now)
		if w.now <= o.at || behind || float64(now.backlog) > rate*tickInterval.Seconds()*2 {
			kept = append(kept, o)
			continue
		}
		o.took = w.now - o.at
		r.done = append(r.done, o)
	}
	r.open = kept
	r.disturbed = r.disturbed || len(kept) > 0
}

func (r *record) hour(w *world) {
	var most, sum int64
	n := 0
	for _, c := range w.collectors {
		if c.up && !c.lost {
			most = max(most, c.inHour)
			sum += c.inHour
			n++
		}
		c.inHour = 0
	}
	if sum > 0 && !w.draining {
		r.hours = append(r.hours, hour{float64(most) * float64(n) / float64(sum), !r.disturbed})
	}
	r.disturbed = false
}

// load returns the greatest load of a collector divided by the mean one, of the hours without a fault and of all.
func (r *record) load() (calm, all float64) {
	for _, h := range r.hours {
		all = max(all, h.maxByMean)
		if h.calm {
			calm = max(calm, h.maxByMean)
		}
	}
	return calm, all
}

// report returns the figures as text.
func (r *record) report(cfg config) string {
	var b strings.Builder
	gb := func(n int64) float64 { return float64(n) / 1e9 }
	days := float64(cfg.Days)
	calm, all := r.load()
	fmt.Fprintf(&b, "hosts %d, collectors %d, %.0f lines/s and host, --roll-interval %v, seed %d, return %s\n", cfg.Hosts, cfg.Collectors, cfg.LinesPerSecond, cfg.RollInterval, cfg.Seed, cfg.Return)
	fmt.Fprintf(&b, "lines a day                  %.0f million, %.1f GB\n", float64(r.written)/lineBytes/1e6/days, gb(r.written)/days)
	fmt.Fprintf(&b, "bytes not stored             0\n")
	fmt.Fprintf(&b, "bytes stored twice           %.2f %% (in the archive; rows overwrite themselves)\n", 100*float64(r.storedBytes-r.written)/float64(r.written))
	fmt.Fprintf(&b, "sent again                   %.1f GB, of it %.1f GB by %d returns\n", gb(r.again), gb(r.againReturned), r.returns)
	fmt.Fprintf(&b, "load, busiest by mean        %.2f without a fault, %.2f in all hours\n", calm, all)
	fmt.Fprintf(&b, "most unread                  %.2f GB, oldest line %v\n", gb(r.most.unread), r.most.lag.Round(time.Second))
	fmt.Fprintf(&b, "most waiting for the table   %.2f GB\n", gb(r.most.backlog))
	fmt.Fprintf(&b, "largest spool                %.2f GB compressed, of one collector\n", gb(r.peakSpool))
	fmt.Fprintf(&b, "archive files a day          %.0f of %.2f MB; %.0f objects in the name node\n", float64(r.files)/days, float64(r.fileBytes)/float64(max(r.files, 1))/1e6, 2*float64(r.files)/days)
	fmt.Fprintf(&b, "attempts to connect          at most %d a second; %d failovers\n", r.peakAttempts, r.failovers)
	fmt.Fprintf(&b, "connections accepted         at most %.1f a second by one collector\n", float64(r.handshakes)/tickInterval.Seconds())
	fmt.Fprintf(&b, "reads held back by governors %d; batches answered busy %d\n", r.held, r.busy)
	for _, o := range append(r.done, r.open...) {
		took := "recovered after " + o.took.String()
		if o.took == 0 {
			took = "not recovered at midnight"
		}
		fmt.Fprintf(&b, "  %-26s unread %6.2f GB, sent again %6.2f, table %7.2f, oldest line %6v, %s\n", o.text, gb(o.unread), gb(o.again), gb(o.backlog), o.lag.Round(time.Second), took)
	}
	return b.String()
}
