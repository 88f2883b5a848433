package trace

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"
)

// Mark is a labelled moment.
type Mark struct {
	At   time.Time
	Text string
}

// Dimensions of the picture, in pixels.
const (
	width, left, right     = 960, 70, 20
	levelTop, levelHeight  = 56, 26
	panelHeight, panelGap  = 130, 44
	firstPanel             = levelTop + levelHeight + panelGap
	secondPanel            = firstPanel + panelHeight + panelGap
	height                 = secondPanel + panelHeight + 46
	plotWidth              = width - left - right
	percent                = 100
	ticksWanted            = 10
	labelOffset, textSmall = 4, 12
)

// line is a curve of a panel.
type line struct {
	name, color string
	value       func(Step) float64
}

type drawing struct {
	strings.Builder
	steps []Step
	span  float64 // seconds
}

// SVG draws a trace: the levels as a band, the pressure of the host, and the share of one core that
// the agent uses.
func SVG(w io.Writer, title string, steps []Step, marks []Mark) error {
	if len(steps) < 2 {
		return fmt.Errorf("draw a trace: it has %d steps", len(steps))
	}
	d := &drawing{steps: steps, span: steps[len(steps)-1].At.Sub(steps[0].At).Seconds()}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="%d">`+"\n", width, height, width, height, textSmall)
	fmt.Fprintf(d, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(d, `<text x="%d" y="20" font-size="15" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(title))
	d.levels()
	d.panel(firstPanel, "pressure by others, %", []line{
		// The clocks of a step and of the kernel differ by some per cent.
		{"waiting for the CPU", "#c0392b", func(s Step) float64 { return min(s.CPUPressure, 1) }},
		{"CPUs in use", "#e59866", func(s Step) float64 { return s.CPUUse }},
		{"waiting for disks", "#8e44ad", func(s Step) float64 { return s.IOPressure }},
		{"stolen by the hypervisor", "#7f8c8d", func(s Step) float64 { return s.Steal }},
	})
	d.panel(secondPanel, "CPU of the agent, % of one core", []line{
		{"allowed", "#27ae60", func(s Step) float64 { return s.BudgetShare }},
		{"used", "#2471a3", func(s Step) float64 { return s.CPUShare }},
	})
	d.times()
	for _, m := range marks {
		d.mark(m)
	}
	d.WriteString("</svg>\n")
	_, err := io.WriteString(w, d.String())
	return err
}

func (d *drawing) x(at time.Time) float64 {
	return left + plotWidth*at.Sub(d.steps[0].At).Seconds()/d.span
}

// levels draws the band and its legend.
func (d *drawing) levels() {
	colors := map[string]string{"full": "#abebc6", "slowed": "#f9e79f", "paused": "#f5b7b1"}
	for i, name := range []string{"full", "slowed", "paused"} {
		x := left + 90*i
		fmt.Fprintf(d, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, levelTop-20, colors[name], x+16, levelTop-10, name)
	}
	for i := 0; i < len(d.steps); {
		j := i
		for j < len(d.steps) && d.steps[j].Level == d.steps[i].Level {
			j++
		}
		from, to := d.x(d.steps[i].At), d.x(d.steps[min(j, len(d.steps)-1)].At)
		fmt.Fprintf(d, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", from, levelTop, to-from, levelHeight, colors[d.steps[i].Level])
		i = j
	}
}

// panel draws curves with a common scale, from 0 to a round number above their maximum.
func (d *drawing) panel(top int, title string, lines []line) {
	most := 0.0
	for _, l := range lines {
		for _, s := range d.steps {
			most = max(most, l.value(s)*percent)
		}
	}
	scale := roundUp(most)
	fmt.Fprintf(d, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, top-8, title)
	for i := range 3 {
		y := float64(top) + panelHeight*float64(i)/2
		fmt.Fprintf(d, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left, y, left+plotWidth, y, left-6, y+labelOffset, scale*float64(2-i)/2)
	}
	x := left + plotWidth
	for i := len(lines) - 1; i >= 0; i-- {
		x -= 7*len(lines[i].name) + 26
		fmt.Fprintf(d, `<rect x="%d" y="%d" width="12" height="3" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, top-13, lines[i].color, x+16, top-8, lines[i].name)
	}
	for _, l := range lines {
		fmt.Fprintf(d, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, l.color)
		for _, s := range d.steps {
			fmt.Fprintf(d, "%.1f,%.1f ", d.x(s.At), float64(top)+panelHeight*(1-l.value(s)*percent/scale))
		}
		d.WriteString(`"/>` + "\n")
	}
}

// times labels the time axis, in seconds since the first step.
func (d *drawing) times() {
	every := roundUp(d.span / ticksWanted)
	for s := 0.0; s <= d.span; s += every {
		x := left + plotWidth*s/d.span
		fmt.Fprintf(d, `<text x="%.1f" y="%d" text-anchor="middle">%g s</text>`+"\n", x, secondPanel+panelHeight+18, s)
	}
}

func (d *drawing) mark(m Mark) {
	x := d.x(m.At)
	fmt.Fprintf(d, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#555" stroke-dasharray="4 3"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
		x, levelTop+levelHeight, x, secondPanel+panelHeight, x, secondPanel+panelHeight+36, html.EscapeString(m.Text))
}

// roundUp returns the next larger number of the form 1, 2 or 5 times a power of ten.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}
