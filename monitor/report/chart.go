package report

import (
	"fmt"
	"math"
	"time"
)

// chart contains the bars of all spans, as SVG coordinates.
type chart struct {
	Width, Height int
	Top           string // label of the uppermost grid line
	Bars          []bar
	Labels        []label
}

// bar is the part of a span's column for one class of status.
type bar struct {
	Class, Title     string
	X, Y, Wide, High string
}

// label is the text below a span.
type label struct{ X, Text string }

const (
	chartWidth, chartHeight = 960, 220
	plotTop, plotBottom     = 16, 200
	maxLabels               = 12
)

// classNames are the names of the indexes of Span.ByClass, from the bottom up.
var classNames = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

func newChart(r *Report) *chart {
	c := &chart{Width: chartWidth, Height: chartHeight}
	most := int64(1)
	for i := range r.Spans {
		most = max(most, r.Spans[i].Lines())
	}
	top := niceAbove(most)
	c.Top = Count(top)
	if len(r.Spans) == 0 {
		return c
	}
	wide := float64(chartWidth) / float64(len(r.Spans))
	every := (len(r.Spans) + maxLabels - 1) / maxLabels
	layout := "15:04"
	if r.Daily {
		layout = "2 Jan"
	}
	for i := range r.Spans {
		s := &r.Spans[i]
		y := float64(plotBottom)
		for class, n := range s.ByClass {
			if n == 0 {
				continue
			}
			high := float64(n) / float64(top) * (plotBottom - plotTop)
			y -= high
			c.Bars = append(c.Bars, bar{Class: fmt.Sprint("c", class), Title: fmt.Sprintf("%s: %s %s", s.Start.Format(time.DateTime), Count(n), classNames[class]),
				X: number(float64(i)*wide + wide*0.08), Y: number(y), Wide: number(wide * 0.84), High: number(high)})
		}
		if i%every == 0 {
			text := s.Start.Format(layout)
			if !r.Daily && (i == 0 || s.Start.Hour() < every) {
				text = s.Start.Format("2 Jan")
			}
			c.Labels = append(c.Labels, label{number(float64(i)*wide + wide/2), text})
		}
	}
	return c
}

func number(v float64) string { return fmt.Sprintf("%.2f", v) }

// niceAbove returns the smallest number ≥ n that is 1, 2 or 5 times a power of ten.
func niceAbove(n int64) int64 {
	power := math.Pow(10, math.Floor(math.Log10(float64(n))))
	for _, k := range []float64{1, 2, 5, 10} {
		if float64(n) <= k*power {
			return int64(k * power)
		}
	}
	return n
}
