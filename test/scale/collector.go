package scale

import (
	"fmt"
	"time"

	"sluice/schema"
)

// collector is a collector with its disk.
type collector struct {
	name   string
	number int
	up     bool
	lost   bool // with its disk

	positions  map[int32]*position // by host
	open       map[int32]*segment  // by host
	sealed     []*segment          // not stored yet
	pending    []pendingRange      // received, and not in the table yet; the oldest first
	backlog    int64               // bytes of ranges
	spoolBytes int64               // compressed

	freeAt     time.Duration // when it has done all pending work
	inHour     int64         // bytes received in this hour
	handshakes int           // in this tick
}

// position has the ranges of a host's log that a collector received and stored, like the streams of
// ingest/collector, and the gaps, which the host reports as stored elsewhere.
type position struct{ received, stored, gaps schema.RangeSet }

// pendingRange is a range that is to be written to the table.
type pendingRange struct {
	schema.Range
	segment *segment
}

// segment is a file of one host and day: the file of the archive later.
type segment struct {
	host        int32
	first, last time.Duration
	ranges      schema.RangeSet
	bytes       int64
	pending     int64 // bytes that are not in the table
}

func compressed(n int64) int64 { return int64(float64(n) / compression) }

func (c *collector) position(host int32) *position {
	p := c.positions[host]
	if p == nil {
		p = &position{}
		c.positions[host] = p
	}
	return p
}

// work adds work that takes d to the pending work of the collector, and returns how long it is until
// all of it is done.
func (c *collector) work(now, d time.Duration) time.Duration {
	c.freeAt = max(c.freeAt, now) + d
	return c.freeAt - now
}

// full reports whether the spool has no room.
func (c *collector) full(limit int64) bool { return c.spoolBytes >= limit }

// receive takes a range of a host into its segment. Bytes that it has already are cut off, as by ingest/collector.
func (w *world) receive(c *collector, h *host, r schema.Range) {
	p := c.position(h.number)
	if to := p.received.ReachFrom(h.claimed); r.Start > to {
		// collector.Collector rejects such a batch: lines before it would be missing.
		panic(fmt.Sprintf("%s sends %v to %s, which has it to %d", h.name, r, c.name, to))
	}
	for _, gap := range p.received.Missing(schema.Range{End: r.Start}) {
		p.gaps.Add(gap)
	}
	s := c.open[h.number]
	if s != nil && s.first/(24*time.Hour) != w.now/(24*time.Hour) {
		c.seal(s)
		s = nil
	}
	if s == nil {
		s = &segment{host: h.number, first: w.now}
		c.open[h.number] = s
	}
	s.last = w.now
	for _, part := range p.received.Missing(r) {
		p.received.Add(part)
		s.ranges.Add(part)
		s.bytes += part.Len()
		s.pending += part.Len()
		c.pending = append(c.pending, pendingRange{part, s})
		c.backlog += part.Len()
		c.spoolBytes += compressed(part.Len())
		c.inHour += part.Len()
	}
	if compressed(s.bytes) >= w.cfg.RollBytes {
		c.seal(s)
	}
}

func (c *collector) seal(s *segment) {
	delete(c.open, s.host)
	c.sealed = append(c.sealed, s)
}

// write writes up to n bytes to the table, the oldest first, and returns how many it wrote.
func (c *collector) write(n int64) (written int64) {
	done := 0
	for done < len(c.pending) && written < n {
		p := &c.pending[done]
		size := min(p.Len(), n-written)
		p.Start += size
		p.segment.pending -= size
		written += size
		if p.Len() == 0 {
			done++
		}
	}
	c.pending = c.pending[done:]
	c.backlog -= written
	return written
}

// roll seals segments that are old or idle, and stores those that are sealed and in the table.
func (w *world) roll(c *collector) {
	for _, s := range c.open {
		if w.draining || w.now-s.first >= w.cfg.RollInterval || w.now-s.last >= w.cfg.RollIdle {
			c.seal(s)
		}
	}
	kept := c.sealed[:0]
	for _, s := range c.sealed {
		if s.pending > 0 {
			kept = append(kept, s)
			continue
		}
		p := c.position(s.host)
		for _, r := range s.ranges {
			p.stored.Add(r)
		}
		c.spoolBytes -= compressed(s.bytes)
		w.out.store(s)
	}
	c.sealed = kept
}

// tick does the periodic work of all collectors: they write to the table, seal and store.
func (w *world) tick() {
	w.share()
	for _, c := range w.collectors {
		if c.up && !c.lost {
			w.roll(c)
		}
	}
	w.out.sample(w)
}

// share writes pending ranges of all collectors to the table: of each at most at its own rate, of all
// together at most at HBase's, which is divided equally among those with pending ranges.
func (w *world) share() {
	left := w.cfg.HBaseLinesPerSecond * w.hbasePart * lineBytes * tickInterval.Seconds()
	most := int64(w.cfg.TableLinesPerSecond * lineBytes * tickInterval.Seconds())
	var writers []*collector
	for _, c := range w.collectors {
		if c.up && !c.lost && c.backlog > 0 {
			writers = append(writers, c)
		}
	}
	for first := true; len(writers) > 0 && left >= 1; first = false {
		part := int64(left/float64(len(writers))) + 1
		var hungry []*collector
		for _, c := range writers {
			n := c.write(min(part, most))
			left -= float64(n)
			if n == part && c.backlog > 0 && part < most {
				hungry = append(hungry, c)
			}
		}
		if writers = hungry; !first && part <= 1 {
			return
		}
	}
}
