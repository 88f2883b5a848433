package traffic

import (
	"fmt"
	"strings"
)

const (
	// minHosts is the number of hosts that are needed to calculate factors.
	minHosts = 4
	// minExpected is the number of expected lines in a quarter of an hour that note needs.
	minExpected = 25
	// drained is the level below which a host is not judged.
	drained = 0.5
	// calmAfter is the number of quarters of an hour above the limits that end a finding.
	calmAfter = 2
	// lowFor is the time after which a low host's traffic becomes its new level.
	lowFor = week
	// forgetAfter is the time after which a host that is not observed is removed.
	forgetAfter = week
)

// Finding describes a host that sends too few lines.
type Finding struct {
	// Since is the slot in which the host was first found low.
	Since int64
	// Lines and Expected are in lines per minute.
	Lines, Expected float64
	// Share is the host's part of the lines of all hosts, Usual the expected one; 0 to 1.
	Share, Usual float64
}

// String returns the finding as a text for status and messages.
func (f *Finding) String() string {
	return fmt.Sprintf("sends %s lines/min, %s are expected: %s %% of the traffic of all, usually %s %%", number(f.Lines), number(f.Expected), number(100*f.Share), number(100*f.Usual))
}

// number formats v with two significant digits.
func number(v float64) string {
	if v >= 10 || v == 0 {
		return fmt.Sprintf("%.0f", v)
	}
	text := fmt.Sprintf("%.1f", v)
	if v < 0.1 {
		text = fmt.Sprintf("%.2f", v)
	}
	return strings.TrimSuffix(text, ".0")
}

// watch judges the traffic of hosts. It is not safe for concurrent use.
type watch struct {
	hosts map[string]*host
	slot  int64
	all   factors
}

// newWatch returns a watch without hosts.
func newWatch() *watch { return &watch{hosts: map[string]*host{}} }

// load sets the lines of a host in the slots from first on, which must precede the first observed
// slot. Negative numbers were not observed. Deviations are calculated from later slots only.
func (w *watch) load(name string, first int64, lines []float32) {
	h := newHost(first)
	for i, n := range lines {
		if n >= 0 && h.last < h.first {
			h.first = first + int64(i)
		}
		if n >= 0 {
			h.put(first+int64(i), n)
		}
	}
	if h.last >= h.first {
		w.hosts[name] = h
	}
}

// known reports whether a host was observed or loaded.
func (w *watch) known(name string) bool { return w.hosts[name] != nil }

// Observe adds the lines of each host in a slot and judges all hosts. slot is the Unix time divided
// by 15 minutes and must increase. A host that is not in lines was not observed.
func (w *watch) Observe(slot int64, lines map[string]float32) {
	w.slot = slot
	for name, n := range lines {
		h := w.hosts[name]
		if h == nil {
			h = newHost(slot)
			w.hosts[name] = h
		}
		h.put(slot, n)
	}
	for name, h := range w.hosts {
		if slot-h.last > forgetAfter {
			delete(w.hosts, name)
		}
	}
	w.all.compute(w.hosts, slot)
	for _, h := range w.hosts {
		w.judge(h)
	}
}

// low returns the hosts that are low in the last slot, with their findings.
func (w *watch) low() map[string]Finding {
	low := map[string]Finding{}
	for name, h := range w.hosts {
		if h.low != nil && h.last == w.slot {
			low[name] = *h.low
		}
	}
	return low
}

// judge judges the last slot of a host.
func (w *watch) judge(h *host) {
	if h.last != w.slot {
		return // not observed: silence is reported by package monitor
	}
	var found *Finding
	noted := false
	for i := range windows {
		weekly, ok := w.all.expected(h, w.slot, i)
		if !ok {
			continue
		}
		lines, ok := h.sum(w.slot, windows[i].quarters)
		if !ok {
			continue // a part of it was not observed: that is not 0 lines
		}
		if !noted && i < 2 && weekly >= windows[i].least && h.low == nil {
			noted = true // from the hour if the quarter has too few lines
			h.learn(lines, weekly, i)
		}
		level := h.level(windows[i].before)
		expected := weekly * level
		log, deviation := h.compare(lines, expected, i)
		if level >= drained && expected >= windows[i].least && lines < windows[i].ratio*expected && log < -windows[i].deviations*deviation {
			if found == nil {
				found = w.finding(lines, expected, windows[i].quarters)
			}
			continue
		}
		if i == 0 && expected >= minExpected && h.low == nil {
			h.note(w.slot, log)
		}
	}
	switch {
	case found != nil:
		h.calm, found.Since = 0, w.slot
		if h.low != nil {
			found.Since = h.low.Since
		}
		if h.low = found; w.slot-found.Since >= lowFor {
			h.low, h.nRatios = nil, 0 // the present traffic becomes the level
		}
	case h.low != nil:
		if h.calm++; h.calm >= calmAfter {
			h.forget(h.low.Since, w.slot-calmAfter)
			h.low, h.calm = nil, 0
		}
	}
}

// finding returns the rates and shares of a low host.
func (w *watch) finding(lines, expected float64, quarters int64) *Finding {
	minutes := float64(15 * quarters)
	f := &Finding{Lines: lines / minutes, Expected: expected / minutes}
	total := 0.0
	for _, h := range w.hosts {
		if n, ok := h.sum(w.slot, quarters); ok {
			total += n
		}
	}
	if total > 0 {
		f.Share = lines / total
	}
	f.Usual = expected / (total - lines + expected)
	return f
}
