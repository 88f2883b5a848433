package ingest

import (
	"bytes"
	"time"

	"sluice/schema"
)

// cut is a run of lines of one batch that belong to one period.
type cut struct {
	piece
	period string
}

// periodLayout, cut to the unit, names periods in segment names.
const periodLayout = "200601021504"

// period is the time that one segment's lines are of, in the log's zone.
type period struct {
	from, to int64 // nanoseconds since 1970
	zone     int32
	name     string
}

// parse turns a batch into rows (c.rows, appended) and into cuts by period
// (c.cuts). It returns the number of lines.
func (c *Collector) parse(st *streamState, b schema.Batch) (lines int64) {
	c.cuts = c.cuts[:0]
	data, offset := b.Data, b.Range.Start
	var run cut
	for len(data) > 0 {
		line, size := data, len(data)
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line, size = data[:i], i+1
		}
		data = data[size:]
		st.format.Parse(line, &c.rec)
		st.rows.Append(&c.rows, offset, &c.rec)
		if name := c.period(st); name != run.period {
			if run.lines > 0 {
				c.cuts = append(c.cuts, run)
			}
			run = cut{piece{b.Stream.ID, schema.Range{Start: offset}, 0, 0}, name}
		}
		offset += int64(size)
		run.End = offset
		run.lines++
		if c.rec.Err.Set() {
			run.errors++
		}
		lines++
	}
	if run.lines > 0 {
		c.cuts = append(c.cuts, run)
	}
	return lines
}

// period returns the name of the period of the line just parsed, and takes its
// time into the stream's entry. A line without a time goes where the line
// before it went.
func (c *Collector) period(st *streamState) string {
	p := &st.period
	if !c.rec.Dated {
		if p.name == "" {
			*p = c.periodOf(0, 0)
		}
		return p.name
	}
	t := c.rec.Time
	st.tracked.Extend(t)
	if t < p.from || t >= p.to || c.rec.ZoneSeconds != p.zone || p.name == "" {
		*p = c.periodOf(t, c.rec.ZoneSeconds)
	}
	return p.name
}

func (c *Collector) periodOf(nanos int64, zone int32) period {
	start, end := c.cfg.Naming.Period(time.Unix(0, nanos).In(time.FixedZone("", int(zone))))
	layout := periodLayout
	switch span := end.Sub(start); {
	case span > time.Hour:
		layout = layout[:8]
	case span == time.Hour:
		layout = layout[:10]
	}
	return period{start.UnixNano(), end.UnixNano(), zone, start.Format(layout)}
}
