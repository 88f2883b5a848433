package traffic

import "slices"

// offsets are the distances to the earlier slots that the present one is compared with, in slots.
var offsets = [...]int64{week, 2 * week, 3 * week, 4 * week}

const (
	// minReference is the number of earlier lines in a window that a ratio needs.
	minReference = 10
	// minWeeks is the number of earlier weeks that are needed: a single one may contain a peak.
	minWeeks = 2
)

// factors are the changes of the traffic of all hosts in a slot: the median of their ratios to an
// earlier time, by window and offset. 0: too few hosts can be compared.
type factors struct {
	of     [len(windows)][len(offsets)]float64
	ratios []float64
}

func (a *factors) compute(hosts map[string]*host, slot int64) {
	for i, w := range windows {
		for k, offset := range offsets {
			a.ratios = a.ratios[:0]
			for _, h := range hosts {
				then, ok := h.around(slot-offset, w.quarters)
				if !ok || then < minReference {
					continue
				}
				if now, ok := h.sum(slot, w.quarters); ok {
					a.ratios = append(a.ratios, now/then)
				}
			}
			a.of[i][k] = 0
			if len(a.ratios) >= minHosts {
				a.of[i][k] = median(a.ratios)
			}
		}
	}
}

// expected returns the number of lines that is expected from earlier weeks for a host, in a
// window that ends with slot. ok is false if too few weeks are known.
func (a *factors) expected(h *host, slot int64, window int) (lines float64, ok bool) {
	var by [len(offsets)]float64
	known := by[:0]
	for k, offset := range offsets {
		then, ok := h.around(slot-offset, windows[window].quarters)
		if ok && a.of[window][k] > 0 {
			known = append(known, then*a.of[window][k])
		}
	}
	if len(known) < minWeeks {
		return 0, false
	}
	slices.Sort(known)
	return known[(len(known)-1)/2], true // of two the smaller one: the other may be a peak
}
