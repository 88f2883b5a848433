package history

import (
	"math"
	"time"

	"sluice/ingest/segment/vfs"
)

const (
	// sparkQuarters is the number of quarters of an hour that are kept in memory: 8 days.
	sparkQuarters = 8 * 24 * 60 / QuarterMinutes
	dayQuarters   = 24 * 60 / QuarterMinutes
	// maxPending is the limit of the changes of state that are written in one minute.
	maxPending = 4
)

// absent marks a quarter of an hour without a sample.
const absent = math.MaxUint16

// host is the present state of a host. Store.mu guards it.
type host struct {
	name   string
	minute int64 // slot of the minute that is being observed; 0: none
	now    Sample
	from   time.Time // first observation of the minute
	last   time.Time // last observation
	before Observation

	quarter int64  // slot of the quarter of an hour that is being observed
	sum     Sample // sum of its minutes that are over

	newest int64 // newest slot in the rings
	// The last quarters of an hour, by slot: numbers of 12 bits, or absent. minutes is the
	// Covered of each.
	lines   [sparkQuarters]uint16
	minutes [sparkQuarters]uint8
	errors  [dayQuarters]uint16 // lines that could not be parsed
	failed  [dayQuarters]uint16 // 5xx

	state   Change // the last change
	known   bool   // state has been observed or read
	pending []Change
	merge   bool // the present minute may have a record of an earlier process
}

func newHost(name string) *host {
	h := &host{name: name, merge: true}
	for i := range h.lines {
		h.lines[i] = absent
	}
	return h
}

// observe adds an observation to the present minute. An earlier minute must have been taken with
// take.
func (h *host) observe(at time.Time, o *Observation) {
	if slot := minuteTable.slotOf(at); h.minute != slot {
		h.minute = slot
		h.from = at
		if start := minuteTable.timeOf(slot); !h.last.IsZero() && h.last.Before(start) && at.Sub(h.last) <= maxElapsed {
			h.from = start
		}
	}
	s := Sample{Bytes: since(o.Bytes, h.before.Bytes), ParseErrors: since(o.ParseErrors, h.before.ParseErrors),
		UntabledSeconds: seconds(o.UntabledSeconds), UnstoredSeconds: seconds(o.UnstoredSeconds), UnreadBytes: o.UnreadBytes,
		Governor: o.Governor, Level: o.Level}
	for i := range s.ByClass {
		s.ByClass[i] = since(o.ByClass[i], h.before.ByClass[i])
	}
	h.now.Add(&s)
	h.before, h.last = *o, at
	if !h.known || o.Level != h.state.Level {
		h.change(at, o)
	}
}

// since returns the increase of a counter. A counter that decreased was reset by a restart.
func since(now, before int64) int64 {
	if now < before {
		return now
	}
	return now - before
}

// seconds rounds s up, so that 0 means that no line is waiting.
func seconds(s float64) int64 { return int64(math.Ceil(max(s, 0))) }

// change adds a change of state. Of more than maxPending in a minute, the last replaces the one
// before.
func (h *host) change(at time.Time, o *Observation) {
	h.known = true
	c := Change{At: at, Level: o.Level, Reason: cut(o.Reason), number: h.state.number + 1}
	if len(h.pending) == maxPending {
		c.number--
		h.pending = h.pending[:maxPending-1]
	}
	h.state = c
	h.pending = append(h.pending, c)
}

// page contains the records that are written at the end of a minute.
type page struct {
	minute  int64
	sample  Sample
	quarter int64 // quarter of an hour that is over; 0: none
	sum     Sample
	merge   bool
	changes []Change
}

// take returns the records of the present minute and clears it. at is a time at which the minute
// is over.
func (h *host) take(at time.Time) page {
	end := h.last
	if at.Sub(h.last) <= maxElapsed {
		end = at
	}
	if over := minuteTable.timeOf(h.minute + 1); end.After(over) {
		end = over
	}
	h.now.Covered = uint8(min(max(end.Sub(h.from)/time.Second, 1), 60))
	p := page{minute: h.minute, sample: h.now, merge: h.merge, changes: h.pending}
	q := h.minute / QuarterMinutes
	if h.quarter != q {
		h.quarter, h.sum = q, Sample{}
	}
	h.sum.Add(&h.now)
	h.sum.Covered++
	h.keep(q, &h.sum)
	if (h.minute+1)%QuarterMinutes == 0 {
		p.quarter, p.sum = q, h.sum
	}
	h.now, h.minute, h.pending, h.merge = Sample{}, 0, nil, false
	return p
}

// keep stores a quarter of an hour in the rings in memory.
func (h *host) keep(q int64, s *Sample) {
	for skipped := max(h.newest+1, q-sparkQuarters+1); skipped < q; skipped++ {
		h.lines[skipped%sparkQuarters] = absent
	}
	h.newest = max(h.newest, q)
	i := q % sparkQuarters
	h.lines[i], h.minutes[i] = number(s.Lines()), s.Covered
	h.errors[q%dayQuarters], h.failed[q%dayQuarters] = number(s.ParseErrors), number(s.ByClass[4])
}

// write writes the minute, the quarter of an hour if it is over, and the changes.
func (p *page) write(f vfs.File) error {
	if p.merge { // an earlier process may have written a part of the minute
		earlier, err := minuteTable.read(f, p.minute, p.minute+1)
		if err != nil {
			return err
		}
		if x := &earlier[0]; x.Covered > 0 {
			p.sample.Add(x)
			p.sample.Covered = min(p.sample.Covered+x.Covered, 60)
		}
	}
	if err := minuteTable.write(f, p.minute, &p.sample); err != nil {
		return err
	}
	if p.quarter > 0 {
		if err := quarterTable.write(f, p.quarter, &p.sum); err != nil {
			return err
		}
	}
	for i := range p.changes {
		if err := writeChange(f, &p.changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// load reads the last eight days and the last state. A quarter of an hour that ended while no
// process ran is calculated from its minutes.
func (h *host) load(f vfs.File, at time.Time) error {
	changes, err := readChanges(f)
	if err != nil {
		return err
	}
	if n := len(changes); n > 0 {
		h.state, h.known = changes[n-1], true
	}
	present := quarterTable.slotOf(at)
	first := present - sparkQuarters + 1
	minutes, err := minuteTable.read(f, first*QuarterMinutes, (present+1)*QuarterMinutes)
	if err != nil {
		return err
	}
	quarters, err := quarterTable.read(f, first, present)
	if err != nil {
		return err
	}
	for q := first; q <= present; q++ {
		sum := Sample{}
		if q < present {
			sum = quarters[q-first]
		}
		if sum.Covered == 0 {
			if sum = ofMinutes(minutes[(q-first)*QuarterMinutes:][:QuarterMinutes]); sum.Covered == 0 {
				continue
			}
			if q < present {
				if err := quarterTable.write(f, q, &sum); err != nil {
					return err
				}
			}
		}
		h.keep(q, &sum)
		if q == present {
			h.quarter, h.sum = q, sum
		}
	}
	return nil
}

// ofMinutes returns the sum of minutes. Its Covered is the number of minutes with a sample.
func ofMinutes(minutes []Sample) (sum Sample) {
	for i := range minutes {
		if minutes[i].Covered > 0 {
			sum.Add(&minutes[i])
			sum.Covered++
		}
	}
	return sum
}
