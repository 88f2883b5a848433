package collector

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/schema"
	"sluice/table/columnar"
)

// cut is a run of lines of one batch that belong to the same period.
type cut struct {
	schema.Range
	lines, errors int64
	holes         int64 // lines that consist of NUL bytes, which have no row
	bad           int64 // offset of the first line that does not parse, if errors > 0
	badEnd        int64 // number of consecutive lines at the end that do not parse
	first, last   int64 // event times; 0 if no line has one
	byClass       [Classes]int64
	period        string
	zone          int32 // of the period, seconds east of UTC
}

// parsedBatch holds the lines of a batch, parsed, until their rows are put. It is reused.
type parsedBatch struct {
	weight int64 // bytes that it takes of the table's queue; 0: it is not queued
	// columnWeight is the part of the column queue's room that has not been passed on with a chunk.
	columnWeight int64
	wantsRows    bool
	data         []byte
	lines        []byte // lines to parse: data, or the sender's buffer
	rows         schema.Rows
	rec          schema.Record
	cuts         []cut
	batches      []*spooledBatch
	// chunks holds the columns of each cut, if columns are wanted. They come from pool.
	chunks []*columnar.Chunk
	pool   *sync.Pool // of *columnar.Chunk; nil: columns are not wanted
}

func (p *parsedBatch) reset() {
	p.rows.Reset()
	clear(p.batches)
	for _, chunk := range p.chunks { // chunks of cuts that were not appended to the spool
		if chunk != nil {
			p.pool.Put(chunk)
		}
	}
	clear(p.chunks)
	p.weight, p.columnWeight, p.wantsRows, p.lines, p.cuts, p.batches = 0, 0, false, nil, p.cuts[:0], p.batches[:0]
	p.chunks, p.pool = p.chunks[:0], nil
}

// chunk returns the chunk of the current cut, which is empty at first.
func (p *parsedBatch) chunk() *columnar.Chunk {
	for len(p.chunks) <= len(p.cuts) {
		chunk := p.pool.Get().(*columnar.Chunk)
		chunk.Reset()
		p.chunks = append(p.chunks, chunk)
	}
	return p.chunks[len(p.cuts)]
}

// periodLayout is the layout of a period's name in the name of a segment. It is cut to the unit of
// the period: day, hour or minute.
const periodLayout = "200601021504"

// period is the range of time of the lines of one segment, in the time zone of the log.
type period struct {
	from, to int64 // nanoseconds since 1970
	zone     int32
	name     string
}

// checkEvery is the number of bytes that are parsed between two checks of the context.
const checkEvery = 4 << 10

// read parses the parsed batch's lines, which begin at offset in their stream, into cuts by period
// and, if wanted, into rows and columns. It stops early only if ctx is canceled, because a sender
// may choose a slow regular expression. A deadline of ctx limits only waiting: a batch that takes
// longer than that to parse would never be accepted.
func (p *parsedBatch) read(ctx context.Context, r *lineReader, naming Naming, offset int64) error {
	data := p.lines
	var run cut
	for unchecked := 0; len(data) > 0; {
		if unchecked >= checkEvery {
			if err := ctx.Err(); errors.Is(err, context.Canceled) {
				return err
			}
			unchecked = 0
		}
		line, at, size, ok := schema.CutLine(data)
		data = data[size:]
		unchecked += size
		r.format.Parse(line, &p.rec)
		if p.wantsRows && ok {
			r.encoder.Append(&p.rows, offset+int64(at), &p.rec)
		}
		if name := r.periodOf(&p.rec, naming); name != run.period {
			if run.lines > 0 {
				p.cuts = append(p.cuts, run)
			}
			run = cut{Range: schema.Range{Start: offset}, period: name, zone: r.period.zone}
		}
		if p.pool != nil {
			chunk := p.chunk() // a line of NUL bytes also needs a chunk, although it has no row
			if ok {
				r.columns.Append(chunk, offset+int64(at), &p.rec)
			}
		}
		offset += int64(size)
		run.End = offset
		run.lines++
		if !ok {
			run.holes++
		} else {
			run.byClass[classOf(&p.rec, r.status)]++
			if p.rec.Err.Set() {
				if run.errors++; run.errors == 1 {
					run.bad = offset - int64(size)
				}
				run.badEnd++
			} else {
				run.badEnd = 0
			}
		}
		if p.rec.Dated {
			run.extend(p.rec.Time)
		}
	}
	if run.lines > 0 {
		p.cuts = append(p.cuts, run)
	}
	return nil
}

// count sets the counts and times of a spooled batch to the sums over all its cuts.
func (p *spooledBatch) count(cuts []cut) {
	p.lines, p.errors, p.first, p.last = 0, 0, 0, 0
	for i := range cuts {
		x := &cuts[i]
		p.lines += x.lines - x.holes
		p.errors += x.errors
		if x.last != 0 {
			if p.first == 0 || x.first < p.first {
				p.first = x.first
			}
			p.last = max(p.last, x.last)
		}
	}
}

func (x *cut) extend(t int64) {
	if x.first == 0 || t < x.first {
		x.first = t
	}
	x.last = max(x.last, t)
}

// periodOf returns the name of a line's period. A line without a time belongs to the period of the
// line before it.
func (r *lineReader) periodOf(rec *schema.Record, naming Naming) string {
	p := &r.period
	switch {
	case rec.Dated && (rec.Time < p.from || rec.Time >= p.to || rec.ZoneSeconds != p.zone || p.name == ""):
		*p = newPeriod(naming, rec.Time, rec.ZoneSeconds)
	case p.name == "":
		*p = newPeriod(naming, 0, 0)
	}
	return p.name
}

func newPeriod(naming Naming, nanos int64, zone int32) period {
	start, end := naming.Period(time.Unix(0, nanos).In(time.FixedZone("", int(zone))))
	layout := periodLayout
	switch span := end.Sub(start); {
	case span > time.Hour:
		layout = layout[:8]
	case span == time.Hour:
		layout = layout[:10]
	}
	return period{start.UnixNano(), end.UnixNano(), zone, start.Format(layout)}
}
