package traffic

import (
	"fmt"
	"math"
	"strings"
)

const (
	// minHosts are needed to say what the day does to all.
	minHosts = 4
	// minExpected lines in a quarter of an hour are needed to learn from it.
	minExpected = 25
	// drained is the level below which a host is not judged.
	drained = 0.5
	// calmAfter so many quarters of an hour in which it was not low, a host is well again.
	calmAfter = 2
	// lowFor is the time after which what a host sends is normal for it.
	lowFor = week
	// forgetAfter a host is forgotten that was not observed.
	forgetAfter = week
)

// Finding is a host that is low.
type Finding struct {
	// Since is the slot in which it was found.
	Since int64
	// Lines and Expected are a minute's.
	Lines, Expected float64
	// Share of the lines of all hosts, and the one that is usual.
	Share, Usual float64
}

// String says it.
func (f *Finding) String() string {
	return fmt.Sprintf("sends %s lines/min, %s are expected: %s %% of the traffic of all, usually %s %%", number(f.Lines), number(f.Expected), number(100*f.Share), number(100*f.Usual))
}

// number has two digits that count.
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

// Watch watches the traffic of hosts. It is for one goroutine.
type Watch struct {
	hosts map[string]*host
	slot  int64
	all   factors
}

// New returns a Watch that knows of no host.
func New() *Watch { return &Watch{hosts: map[string]*host{}} }

// Load takes what a host sent in slots up to before the first one that is observed; negative numbers
// were not observed. Deviations are learnt anew.
func (w *Watch) Load(name string, first int64, lines []float32) {
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

// Known reports whether a host was observed or loaded.
func (w *Watch) Known(name string) bool { return w.hosts[name] != nil }

// Observe takes the lines that each host sent in a quarter of an hour, which is the time divided
// by 15 minutes. A host that is missing was not observed. Slots come in order.
func (w *Watch) Observe(slot int64, lines map[string]float32) {
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

// Low are the hosts that are low, with what is found.
func (w *Watch) Low() map[string]Finding {
	low := map[string]Finding{}
	for name, h := range w.hosts {
		if h.low != nil && h.last == w.slot {
			low[name] = *h.low
		}
	}
	return low
}

// judge looks at a host's last slot.
func (w *Watch) judge(h *host) {
	if h.last != w.slot {
		return // not observed: others say so
	}
	var found *Finding
	noted := false
	for i := range windows {
		weekly, ok := w.all.expected(h, w.slot, i)
		if !ok {
			continue
		}
		lines, _ := h.sum(w.slot, windows[i].quarters)
		if !noted && i < 2 && weekly >= windows[i].least && h.low == nil {
			noted = true // of an hour where a quarter of it has few lines
			h.noteRatio(lines / weekly)
		}
		level := h.level(windows[i].before)
		expected := weekly * level
		log := math.Log((lines + 1) / (expected + 1))
		if level >= drained && expected >= windows[i].least && lines < windows[i].ratio*expected && log < -windows[i].deviations*math.Sqrt(h.spread[i]*h.spread[i]+1/(expected+1)) {
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
			h.low, h.nRatios = nil, 0 // it is its new level
		}
	case h.low != nil:
		if h.calm++; h.calm >= calmAfter {
			h.low, h.calm = nil, 0
		}
	}
}

// finding says how low a host is.
func (w *Watch) finding(lines, expected float64, quarters int64) *Finding {
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
