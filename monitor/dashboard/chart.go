package dashboard

import (
	"fmt"
	"strings"
	"time"

	"sluice/monitor/history"
)

// The size of a chart and its margins, in SVG units.
const (
	chartWidth  = 720
	chartHeight = 168
	plotLeft    = 62
	plotRight   = chartWidth - 4
	plotTop     = 10
	plotBottom  = chartHeight - 24
)

// chart is an SVG chart and the table of its values.
type chart struct {
	ID, Title, Unit, Desc string
	Width, Height         int
	X0                    int // left edge of the viewBox
	Left, Right           int
	Top, Bottom           int
	Y, X                  []tick
	Shapes                []shape
	Legend                []shape // shapes with a name, in order from the top
	Columns               []string
	Rows                  [][]string
}

// shape is a line or an area of a chart. Class is its CSS class, Data the data of its SVG path.
type shape struct {
	Class, Name, Data string
}

// frame returns a chart without shapes for the span that begins at the first of points, with its
// time axis.
func (s *span) frame(id, title, unit string, points []point) *chart {
	from := points[0].from
	to := from.Add(s.length)
	return &chart{
		ID: id, Title: title, Unit: unit, Width: chartWidth, Height: chartHeight, Left: plotLeft, Right: plotRight, Top: plotTop, Bottom: plotBottom,
		X: s.timeTicks(from, to, func(at time.Time) float64 {
			return plotLeft + (plotRight-plotLeft)*float64(at.Sub(from))/float64(s.length)
		}),
	}
}

// edge is the distance from the right end of the plot within which a tick has no text, because it
// would be cut off.
const edge = 18

// vertical sets the ticks of the value axis, whose end is the last tick. It returns the function
// that calculates the y coordinate of a value.
func (c *chart) vertical(ticks []float64, text func(float64) string) func(float64) float64 {
	top := ticks[len(ticks)-1]
	y := func(v float64) float64 { return plotBottom - (plotBottom-plotTop)*min(v, top)/top }
	for _, v := range ticks {
		c.Y = append(c.Y, tick{At: y(v), Text: strings.Replace(text(v), " min", " m", 1)})
	}
	return y
}

// columnX returns the x coordinate of the left edge of point i of n.
func columnX(i, n int) float64 { return plotLeft + (plotRight-plotLeft)*float64(i)/float64(n) }

// steps returns the path data of the area between the low and high values of n points, drawn as
// steps. Points for which value returns false are gaps.
func steps(n int, y func(float64) float64, value func(i int) (low, high float64, ok bool)) string {
	var p path
	for i := 0; i < n; {
		if _, _, ok := value(i); !ok {
			i++
			continue
		}
		end := i
		for end < n {
			if _, _, ok := value(end); !ok {
				break
			}
			end++
		}
		for j := i; j < end; j++ { // the upper edge from left to right, then the lower one back
			_, high, _ := value(j)
			p.to(columnX(j, n), y(high))
			p.to(columnX(j+1, n), y(high))
		}
		for j := end - 1; j >= i; j-- {
			low, _, _ := value(j)
			p.to(columnX(j+1, n), y(low))
			p.to(columnX(j, n), y(low))
		}
		p.close()
		i = end
	}
	return string(p.b)
}

// classNames are the classes of HTTP status codes in the order of a chart, from the bottom up.
// index is the class's index in history.Sample.ByClass.
var classNames = []struct {
	class, name string
	index       int
}{
	{"c2", "2xx", 1}, {"c3", "3xx", 2}, {"c4", "4xx", 3}, {"c5", "5xx", 4}, {"c0", "other or none", 0},
}

// traffic returns the chart of lines per second by status class. Without classes (an agent does not
// parse lines) it has only the total, which history stores under class 0.
func (s *span) traffic(points []point, classes bool) *chart {
	c := s.frame("traffic", "Traffic", "lines/s", points)
	most := 0.0
	for i := range points {
		most = max(most, points[i].rate(points[i].Lines()))
	}
	y := c.vertical(numberTicks(most), rateText)
	below := make([]float64, len(points))
	for _, k := range classNames {
		if !classes && k.index != 0 {
			continue
		}
		high := make([]float64, len(points))
		some := false
		for i := range points {
			n := points[i].ByClass[k.index]
			high[i], some = below[i]+points[i].rate(n), some || n > 0
		}
		name, class := k.name, k.class
		if !classes {
			name, class = "lines", "c2"
		}
		if some {
			x := shape{class, name, steps(len(points), y, func(i int) (float64, float64, bool) { return below[i], high[i], points[i].seconds > 0 })}
			c.Shapes = append(c.Shapes, x)
			c.Legend = append([]shape{x}, c.Legend...)
		}
		below = high
	}
	c.Columns = []string{"lines/s"}
	if classes {
		c.Columns = append(c.Columns, "2xx", "3xx", "4xx", "5xx", "other or none")
	}
	c.table(s, points, func(p *point) []string {
		row := []string{rateText(p.rate(p.Lines()))}
		for _, k := range classNames {
			if classes {
				row = append(row, shareText(p.ByClass[k.index], p.Lines()))
			}
		}
		return row
	})
	c.describe(points, fmt.Sprintf("at most %s lines/s", rateText(most)))
	return c
}

// single adds one area, the figures and the description to the chart c. ticks returns the ticks for
// a maximum, text formats a value.
func (s *span) single(c *chart, points []point, class string, ticks func(float64) []float64, text func(float64) string, value func(*point) float64) *chart {
	most := 0.0
	for i := range points {
		if points[i].seconds > 0 {
			most = max(most, value(&points[i]))
		}
	}
	y := c.vertical(ticks(most), text)
	c.Shapes = []shape{{Class: class, Data: steps(len(points), y, func(i int) (float64, float64, bool) {
		return 0, value(&points[i]), points[i].seconds > 0
	})}}
	c.Columns = []string{c.Title}
	c.table(s, points, func(p *point) []string { return []string{text(value(p))} })
	c.describe(points, "at most "+text(most))
	return c
}

func (s *span) lag(points []point, title string) *chart {
	c := s.frame("lag", "Lag", title, points)
	return s.single(c, points, "lag", ageTicks, func(v float64) string {
		if v == 0 {
			return "0"
		}
		return ageText(v)
	}, func(p *point) float64 { return float64(p.UntabledSeconds) })
}

func (s *span) unread(points []point) *chart {
	c := s.frame("unread", "Unread in the logs", "bytes", points)
	return s.single(c, points, "unread", numberTicks, func(v float64) string {
		if v == 0 {
			return "0"
		}
		return bytesText(int64(v))
	}, func(p *point) float64 { return float64(p.UnreadBytes) })
}

func (s *span) parseErrors(points []point) *chart {
	c := s.frame("errors", "Lines that did not parse", "lines/min", points)
	return s.single(c, points, "bad", numberTicks, rateText, func(p *point) float64 { return 60 * p.rate(p.ParseErrors) })
}

// tableRows is the maximum number of rows of the table of a chart.
const tableRows = 32

func (c *chart) table(s *span, points []point, cells func(*point) []string) {
	rows := merged(points, tableRows)
	layout := "Mon 2 Jan 15:04"
	if s.bucket >= day {
		layout = "2 Jan 2006"
	}
	for i := len(rows) - 1; i >= 0; i-- { // newest first
		p := &rows[i]
		row := []string{p.from.UTC().Format(layout)}
		if p.seconds == 0 {
			row = append(row, "no data")
			for range len(c.Columns) - 1 {
				row = append(row, "")
			}
		} else {
			row = append(row, cells(p)...)
		}
		c.Rows = append(c.Rows, row)
	}
}

// describe sets the chart's description: its range of time, what, and the share of points without
// data.
func (c *chart) describe(points []point, what string) {
	absent := 0
	for i := range points[:len(points)-1] { // the last point is still in progress
		if points[i].seconds == 0 {
			absent++
		}
	}
	c.Desc = fmt.Sprintf("From %s to %s UTC: %s.", points[0].from.UTC().Format("2 Jan 2006 15:04"), points[len(points)-1].from.UTC().Format("2 Jan 2006 15:04"), what)
	switch {
	case absent == len(points)-1 && points[absent].seconds == 0:
		c.Desc = "There is no data of this time."
	case absent > 0:
		c.Desc += fmt.Sprintf(" Without data for %s of it.", shareText(int64(absent), int64(len(points))))
	}
}

// states returns the chart of the host's level over time, a band that is higher for a worse level.
func (s *span) states(points []point) *chart {
	c := s.frame("states", "State", "", points)
	c.Height, c.Bottom, c.Top = 34, 30, 4
	c.X0, c.Width = plotLeft, plotRight-plotLeft
	c.X = nil
	for _, level := range []history.Level{history.Okay, history.Warn, history.Error} {
		height := []float64{8, 17, 26}[level]
		c.Shapes = append(c.Shapes, shape{Class: "s" + level.String(), Data: steps(len(points), func(v float64) float64 { return 30 - v }, func(i int) (float64, float64, bool) {
			return 0, height, points[i].seconds > 0 && points[i].Level == level
		})})
	}
	worst := map[history.Level]int64{}
	for i := range points {
		if points[i].seconds > 0 {
			worst[points[i].Level]++
		}
	}
	c.describe(points, fmt.Sprintf("OKAY %s, WARN %s, ERROR %s of the time", shareText(worst[0], int64(len(points))), shareText(worst[1], int64(len(points))), shareText(worst[2], int64(len(points)))))
	return c
}
