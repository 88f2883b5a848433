package dashboard

import (
	"math"
	"time"
)

// tick is a mark on an axis, at an x or y coordinate.
type tick struct {
	At    float64
	Text  string
	Minor bool // its text is hidden on a narrow screen
}

// numberTicks returns round numbers from 0 to at least top. The last one is the end of the axis.
func numberTicks(top float64) []float64 {
	if top <= 0 {
		return []float64{0, 1}
	}
	step := math.Pow(10, math.Floor(math.Log10(top/3)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step*4 >= top {
			step *= m
			break
		}
	}
	return multiples(step, top)
}

// ageSteps are the distances between ticks of an age axis, in seconds.
var ageSteps = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 4 * 3600, 6 * 3600, 12 * 3600, 24 * 3600}

// ageTicks returns round ages from 0 to at least top, in seconds.
func ageTicks(top float64) []float64 {
	for _, step := range ageSteps {
		if 4*step >= top {
			return multiples(step, top)
		}
	}
	return multiples(24*3600*math.Ceil(top/(4*24*3600)), top)
}

func multiples(step, top float64) []float64 {
	ticks := []float64{0}
	for v := step; ; v += step {
		ticks = append(ticks, v)
		if v >= top {
			return ticks
		}
	}
}

// span is a range of time that a page can show. It ends at the present.
type span struct {
	Name   string // the value of range in the URL
	Title  string
	length time.Duration
	// bucket is the interval of one point. minutes: the points are made of minutes, otherwise of
	// quarters of an hour.
	bucket  time.Duration
	minutes bool
	// every is the time between two ticks, layout their format.
	every  time.Duration
	layout string
}

const day = 24 * time.Hour

var spans = []span{
	{"1h", "1 hour", time.Hour, time.Minute, true, 10 * time.Minute, "15:04"},
	{"24h", "24 hours", day, 5 * time.Minute, true, 3 * time.Hour, "15:04"},
	{"8d", "8 days", 8 * day, 30 * time.Minute, true, day, "Mon 2"},
	{"400d", "400 days", 400 * day, day, false, 30 * day, "Jan"},
}

// timeTicks returns the ticks between from and to, at round times of UTC. x calculates the
// coordinate of a time.
func (s *span) timeTicks(from, to time.Time, x func(time.Time) float64) (ticks []tick) {
	defer func() {
		for i := range ticks {
			if ticks[i].At > plotRight-edge {
				ticks[i].Text = ""
			}
		}
	}()
	if s.every > 7*day { // a tick on the first of each month
		for at, i := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC), 0; at.Before(to); at = at.AddDate(0, 1, 0) {
			if at.After(from) {
				ticks = append(ticks, tick{x(at), at.Format(s.layout), i%2 == 1})
				i++
			}
		}
		return ticks
	}
	for at, i := from.Truncate(s.every), 0; at.Before(to); at = at.Add(s.every) {
		if at.After(from) {
			ticks = append(ticks, tick{x(at), at.UTC().Format(s.layout), i%2 == 1})
			i++
		}
	}
	return ticks
}
