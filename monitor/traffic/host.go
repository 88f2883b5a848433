package traffic

import (
	"math"
	"slices"
)

const (
	day  = 96 // quarters of an hour
	week = 7 * day
	// remembered is the number of slots that are kept: the largest offset and the longest window.
	remembered = 4*week + 24
	// residuals is the number of logarithms that are kept. The spread is calculated from at least
	// minResiduals.
	residuals    = week
	minResiduals = day
	// levelQuarters is the number of ratios whose median is a host's level.
	levelQuarters = 24
	maxRatios     = levelQuarters + 16
)

// windows are the windows that are judged, in quarters of an hour. A host is low if lines/expected
// is below ratio and its logarithm is more than deviations standard deviations below zero. The
// level omits the last before quarters, since a level that falls with the lines would hide the
// loss. A window with fewer expected lines than least is not judged.
var windows = [...]struct {
	quarters, before         int64
	least, ratio, deviations float64
}{{1, 1, 25, 0.6, 6}, {4, 4, 60, 0.65, 5}, {8, 8, 150, 0.62, 4.5}, {16, 16, 25, 0.3, 5}}

// host is the state of a host.
type host struct {
	first int64 // slot of its first lines
	last  int64 // slot of its last lines
	// lines are the lines of each slot, a ring; negative: not observed.
	lines [remembered]float32
	// logs are the logarithms of lines/expected, a ring.
	logs     [residuals]float32
	ratios   [maxRatios]float32 // lines/weekly, a ring
	nLogs    int64
	nRatios  int64
	spread   [len(windows)]float64 // standard deviations of the logs, by window
	measured int64                 // slot at which spread was calculated

	withheld int64 // slots that were left out of ratios, one after the other

	low  *Finding
	calm int // quarters of an hour since it was low
}

func newHost(slot int64) *host {
	h := &host{first: slot, last: slot - 1}
	for i := range h.lines {
		h.lines[i] = -1
	}
	for i := range h.spread {
		h.spread[i] = firstSpread
	}
	return h
}

// forget makes slots from first to last count as not observed: lines that were found low are not
// what later weeks are compared with.
func (h *host) forget(first, last int64) {
	for slot := max(first, h.first, last-remembered+1); slot <= last; slot++ {
		h.lines[slot%remembered] = -1
	}
}

// put stores the lines of a slot.
func (h *host) put(slot int64, lines float32) {
	for s := max(h.last+1, slot-remembered+1); s < slot; s++ {
		h.lines[s%remembered] = -1
	}
	h.lines[slot%remembered] = lines
	h.last = slot
}

// sum returns the number of lines in the given number of slots, of which slot is the last. ok is
// false if one of them was not observed.
func (h *host) sum(slot, quarters int64) (lines float64, ok bool) {
	for s := slot - quarters + 1; s <= slot; s++ {
		if s < h.first || s > h.last || s <= h.last-remembered || h.lines[s%remembered] < 0 {
			return 0, false
		}
		lines += float64(h.lines[s%remembered])
	}
	return lines, true
}

// around estimates sum with less noise, from two more slots on each side. If one of those was not
// observed, it is sum.
func (h *host) around(slot, quarters int64) (lines float64, ok bool) {
	const beside = 2
	lines, ok = h.sum(slot+beside, quarters+2*beside)
	if !ok {
		return h.sum(slot, quarters)
	}
	return lines * float64(quarters) / float64(quarters+2*beside), true
}

const (
	// firstSpread is the spread of a host until it is measured.
	firstSpread = 0.25
	// leastSpread is the lower limit of the spread: the model is not more exact.
	leastSpread = 0.06
	// measureEvery is the number of slots between two calculations of the spread.
	measureEvery = 48
)

// note adds the logarithm of lines/expected of a slot, and calculates the spread if it is due.
func (h *host) note(slot int64, log float64) {
	h.logs[h.nLogs%residuals] = float32(log)
	h.nLogs++
	if h.nLogs < minResiduals || slot-h.measured < measureEvery {
		return
	}
	h.measured = slot
	n := min(h.nLogs, residuals)
	var means []float64
	for i, w := range windows {
		means = means[:0]
		for at := h.nLogs - n; at+w.quarters <= h.nLogs; at += max(1, w.quarters/2) {
			sum := 0.0
			for k := range w.quarters {
				sum += float64(h.logs[(at+k)%residuals])
			}
			means = append(means, sum/float64(w.quarters))
		}
		h.spread[i] = max(leastSpread, deviation(means))
	}
}

// deviation returns a robust standard deviation around the median, increased by the distance of a
// negative median from zero. It changes x.
func deviation(x []float64) float64 {
	m := median(x)
	for i := range x {
		x[i] = math.Abs(x[i] - m)
	}
	return 1.4826*median(x) + math.Abs(min(m, 0))
}

// median sorts x and returns its median, 0 if x is empty.
func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	if n := len(x); n%2 == 0 {
		return (x[n/2-1] + x[n/2]) / 2
	}
	return x[len(x)/2]
}

// compare returns the logarithm of lines/expected in a window, and its standard deviation.
func (h *host) compare(lines, expected float64, window int) (log, deviation float64) {
	return math.Log((lines + 1) / (expected + 1)), math.Sqrt(h.spread[window]*h.spread[window] + 1/(expected+1))
}

const (
	// outlier is the number of standard deviations below zero from which the level does not follow,
	// and maxWithheld the number of slots for which it does not.
	outlier     = 3
	maxWithheld = day
)

// learn lets the level follow the lines of the last slot, unless they are so few that they may be a
// failure that is not found yet: a level that follows it would hide it. Lines that stay so few for
// a day are the host's level.
func (h *host) learn(lines, weekly float64, window int) {
	level := h.level(0)
	if log, deviation := h.compare(lines, weekly*level, window); level < drained || log >= -outlier*deviation {
		h.withheld = 0
	} else if h.withheld++; h.withheld <= maxWithheld {
		return
	}
	h.noteRatio(lines / weekly)
}

// noteRatio adds lines/weekly of a slot, from which the level is calculated.
func (h *host) noteRatio(ratio float64) {
	h.ratios[h.nRatios%maxRatios] = float32(min(ratio, 1))
	h.nRatios++
}

// level returns the median of the ratios of 6 hours, without the last before quarters of an hour.
// It is 1 if there are too few.
func (h *host) level(before int64) float64 {
	end := h.nRatios - before
	if end < levelQuarters {
		return 1
	}
	var all [levelQuarters]float64
	for i := range all {
		all[i] = float64(h.ratios[(end-1-int64(i))%maxRatios])
	}
	return median(all[:])
}
