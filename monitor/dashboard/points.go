package dashboard

import (
	"time"

	"sluice/monitor/history"
)

// point is one interval of a chart, with the samples in it added up.
type point struct {
	history.Sample
	from time.Time
	// seconds is how much of the interval was observed. 0: there is no sample.
	seconds int64
}

// rate returns a count of this interval as a count per second.
func (p *point) rate(n int64) float64 { return float64(n) / float64(max(p.seconds, 1)) }

// points returns the samples of a host, one point for each bucket of the span. The last bucket is
// the one that contains now.
func (s *span) points(h *history.Store, host string, now time.Time) ([]point, error) {
	step, read, unit := history.QuarterMinutes*time.Minute, h.Quarters, int64(60)
	if s.minutes {
		step, read, unit = time.Minute, h.Minutes, 1
	}
	end := now.Truncate(s.bucket).Add(s.bucket)
	from := end.Add(-s.length)
	samples, err := read(host, from, end.Add(-step))
	if err != nil {
		return nil, err
	}
	each := int(s.bucket / step)
	points := make([]point, s.length/s.bucket)
	for i := range points {
		p := &points[i]
		p.from = from.Add(time.Duration(i) * s.bucket)
		for j := i * each; j < min((i+1)*each, len(samples)); j++ {
			p.take(&samples[j], unit)
		}
	}
	return points, nil
}

// take adds a sample, whose Covered is in units of unit seconds. A sample that covers nothing is
// ignored.
func (p *point) take(x *history.Sample, unit int64) {
	if x.Covered == 0 {
		return
	}
	p.Sample.Add(x)
	p.seconds += int64(x.Covered) * unit
}

// merged returns the points added up to at most rows points, for a table.
func merged(points []point, rows int) []point {
	each := (len(points) + rows - 1) / rows
	var out []point
	for i, x := range points {
		if i%each == 0 {
			out = append(out, point{from: x.from})
		}
		p := &out[len(out)-1]
		if x.seconds > 0 {
			p.Sample.Add(&x.Sample)
			p.seconds += x.seconds
		}
	}
	return out
}
