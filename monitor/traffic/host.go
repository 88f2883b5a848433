package traffic

import (
	"math"
	"slices"
)

const (
	day  = 96 // quarters of an hour
	week = 7 * day
	// remembered is how far back lines are compared, with the longest window.
	remembered = 4*week + 24
	// residuals are kept for so long; fewer than minResiduals say nothing.
	residuals    = week
	minResiduals = day
	// levelQuarters are those whose median is a host's level.
	levelQuarters = 24
	maxRatios     = levelQuarters + 16
)

// windows are how many quarters of an hour are looked at together, and which ratio of lines to
// expected ones, and how many deviations, are far below. before is how old the ratios must be
// that the level is made of: a level that falls with the lines would hide it. Fewer expected lines
// than least are not judged.
var windows = [...]struct {
	quarters, before         int64
	least, ratio, deviations float64
}{{1, 1, 25, 0.6, 6}, {4, 4, 60, 0.65, 5}, {8, 8, 150, 0.62, 4.5}, {16, 16, 25, 0.3, 5}}

// host is what is known of a host.
type host struct {
	first int64 // slot of its first lines
	last  int64 // slot of its last ones
	// lines by slot; negative: not observed.
	lines [remembered]float32
	// logs are the logarithms of lines/expected, and when.
	logs     [residuals]float32
	ratios   [maxRatios]float32 // of lines to weekly
	nLogs    int64
	nRatios  int64
	spread   [len(windows)]float64 // standard deviations of the logs, by window
	measured int64                 // slot at which spread was calculated

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

// put notes the lines of a slot.
func (h *host) put(slot int64, lines float32) {
	for s := max(h.last+1, slot-remembered+1); s < slot; s++ {
		h.lines[s%remembered] = -1
	}
	h.lines[slot%remembered] = lines
	h.last = slot
}

// sum is the number of lines in so many slots up to and with slot; false if one of them was not
// observed.
func (h *host) sum(slot, quarters int64) (lines float64, ok bool) {
	for s := slot - quarters + 1; s <= slot; s++ {
		if s < h.first || s > h.last || s <= h.last-remembered || h.lines[s%remembered] < 0 {
			return 0, false
		}
		lines += float64(h.lines[s%remembered])
	}
	return lines, true
}

// around is about as many lines as sum says, with less chance in it: of an hour more.
func (h *host) around(slot, quarters int64) (lines float64, ok bool) {
	const beside = 2
	lines, ok = h.sum(slot+beside, quarters+2*beside)
	if !ok { // something is not known: as it was
		return h.sum(slot, quarters)
	}
	return lines * float64(quarters) / float64(quarters+2*beside), true
}

const (
	// firstSpread is taken for a host's deviation while it is not known.
	firstSpread = 0.25
	// leastSpread bounds it: a model is no better than that.
	leastSpread = 0.06
	// measureEvery is how often it is calculated.
	measureEvery = 48
)

// note takes the logarithm of lines/expected of a slot into the deviations.
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

// deviation is a robust standard deviation around zero and around the median, the larger one. It
// changes the order of x.
func deviation(x []float64) float64 {
	m := median(x)
	for i := range x {
		x[i] = math.Abs(x[i] - m)
	}
	return 1.4826*median(x) + math.Abs(min(m, 0))
}

// median sorts x; of nothing it is 0.
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

// noteRatio takes lines/weekly of a slot into the levels.
func (h *host) noteRatio(ratio float64) {
	h.ratios[h.nRatios%maxRatios] = float32(min(ratio, 1))
	h.nRatios++
}

// level is the median of the ratios of 6 hours, the last so many quarters of an hour left out; 1
// where there are too few.
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
