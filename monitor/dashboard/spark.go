package dashboard

import (
	"fmt"

	"sluice/monitor/history"
)

// The size of a spark line, in SVG units.
const (
	sparkWidth  = 96
	sparkHeight = 22
)

// spark is the spark line of a host: the last 24 hours as a line, in front of the same hours one
// week before as an area.
type spark struct {
	Today, LastWeek string // path data
	Text            string // description of the line
}

// newSpark draws the lines per second of 24 hours, one point per half hour, and one point per hour
// of last week. More points would make the page of a thousand hosts larger than a megabyte.
func newSpark(x *history.Spark) spark {
	today, week := halves(x.Today[:]), halves(halves(x.LastWeek[:]))
	top, least, most := float32(0), float32(-1), float32(-1)
	for i := range today {
		top = max(top, today[i], week[i/2])
		if v := today[i]; v >= 0 {
			most = max(most, v)
			if least < 0 || v < least {
				least = v
			}
		}
	}
	if most < 0 {
		return spark{Text: "no history of the last 24 hours"}
	}
	y := func(v float32) float64 {
		if top == 0 {
			return sparkHeight - 1
		}
		return float64(sparkHeight - 1 - (sparkHeight-3)*v/top)
	}
	return spark{
		Today: linePath(today, sparkWidth/float64(len(today)-1), y), LastWeek: areaPath(week, sparkWidth/float64(len(week)-1), y),
		Text: fmt.Sprintf("%s to %s lines/s in the last 24 hours", rateText(float64(least)), rateText(float64(most))),
	}
}

// halves returns the mean of each two consecutive values. Negative values (no data) are left out of
// a mean.
func halves(quarters []float32) []float32 {
	half := make([]float32, len(quarters)/2)
	for i := range half {
		a, b := quarters[2*i], quarters[2*i+1]
		switch {
		case a < 0:
			half[i] = b
		case b < 0:
			half[i] = a
		default:
			half[i] = (a + b) / 2
		}
	}
	return half
}

// linePath returns the path data of a line through values, with gaps where they are negative (no
// data).
func linePath(values []float32, step float64, y func(float32) float64) string {
	p := path{b: make([]byte, 0, 8*len(values))}
	for i, v := range values {
		if v < 0 {
			p.gap()
			continue
		}
		p.to(whole(float64(i)*step), whole(y(v)))
	}
	return p.String()
}

// areaPath returns the path data of the area below values, with gaps where they are negative (no
// data).
func areaPath(values []float32, step float64, y func(float32) float64) string {
	p := path{b: make([]byte, 0, 8*len(values))}
	for i, v := range values {
		x := whole(float64(i) * step)
		if v < 0 {
			continue
		}
		if i == 0 || values[i-1] < 0 {
			p.to(x, sparkHeight)
		}
		p.to(x, whole(y(v)))
		if i == len(values)-1 || values[i+1] < 0 {
			p.to(x, sparkHeight)
			p.close()
		}
	}
	return string(p.b)
}

// whole rounds to whole units. That is enough for a small picture, and a page may have a thousand
// of them.
func whole(v float64) float64 { return float64(int(v + 0.5)) }
