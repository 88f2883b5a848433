package compare

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/bench/fleet"
)

// rangeSink is where a reader of ranges delivers: it notes for each its place and
// the checksum of its bytes, which is all that is needed to check them, and costs
// some 30 ns a line. One goroutine may deliver at a time.
type rangeSink struct {
	run     uint32
	durable bool
	journal *os.File
	pending []byte // rows that are not written yet
	count   atomic.Int64
	latency *latencies
}

// pendingBytes is how much is kept before it is written, where nothing has to be
// durable.
const pendingBytes = 64 << 10

func newRangeSink(spec tailSpec, latency *latencies) (*rangeSink, error) {
	f, err := fleet.OpenJournal(spec.Outcome)
	if err != nil {
		return nil, err
	}
	return &rangeSink{run: spec.Run, durable: spec.Durable, journal: f, latency: latency}, nil
}

// take notes a range that begins at start, of so many whole lines.
func (s *rangeSink) take(stream uint64, start int64, data []byte, lines int) error {
	first, _, _ := bytes.Cut(data, []byte{'\n'})
	id, _, ok := fleet.ParseLine(first)
	if !ok {
		id = fleet.LineID{File: math.MaxUint32} // the check will say that nobody wrote it
	}
	s.pending = fleet.Row{
		Run: s.run, Stream: stream, First: id, Start: start, End: start + int64(len(data)),
		CRC: fleet.Checksum(data), Lines: uint32(lines),
	}.AppendTo(s.pending)
	s.latency.batch(data, lines)
	s.count.Add(int64(lines))
	if !s.durable && len(s.pending) >= pendingBytes {
		return s.commit()
	}
	return nil
}

// commit writes what was taken; durable, it is on the disk then.
func (s *rangeSink) commit() error {
	if len(s.pending) == 0 {
		return nil
	}
	if _, err := s.journal.Write(s.pending); err != nil {
		return err
	}
	s.pending = s.pending[:0]
	if s.durable {
		return s.journal.Sync()
	}
	return nil
}

func (s *rangeSink) lines() int64 { return s.count.Load() }

func (s *rangeSink) save() error { return errors.Join(s.commit(), s.journal.Close()) }

// latencies are the times from a line's writing to its delivery, of some lines.
// It may be used by several goroutines.
type latencies struct {
	now func() time.Time
	on  atomic.Bool
	mu  sync.Mutex
	all []latencySample
}

// latencySample stands for so many lines.
type latencySample struct {
	latency time.Duration
	lines   int
}

// linesASample is how many lines of a batch one sample stands for, at most.
const linesASample = 64

// sample begins a window, or ends it.
func (l *latencies) sample(on bool) {
	if on {
		l.mu.Lock()
		l.all = l.all[:0]
		l.mu.Unlock()
	}
	l.on.Store(on)
}

// batch takes samples from lines of the batch that are chosen at random.
func (l *latencies) batch(data []byte, lines int) {
	if !l.on.Load() || len(data) == 0 {
		return
	}
	n := 1 + lines/linesASample
	for range n {
		at := rand.IntN(len(data))
		from := bytes.LastIndexByte(data[:at], '\n') + 1
		line, _, _ := bytes.Cut(data[from:], []byte{'\n'})
		if _, nanos, ok := fleet.ParseLine(line); ok {
			l.add(nanos, lines/n)
		}
	}
}

// add takes one sample, of a line written at nanos, that stands for so many lines.
func (l *latencies) add(nanos int64, lines int) {
	if !l.on.Load() {
		return
	}
	s := latencySample{time.Duration(l.now().UnixNano() - nanos), max(lines, 1)}
	l.mu.Lock()
	l.all = append(l.all, s)
	l.mu.Unlock()
}

// quantiles are the median and the 99th of a hundred, 0 without samples.
func (l *latencies) quantiles() (p50, p99 time.Duration) {
	l.mu.Lock()
	all := slices.Clone(l.all)
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b latencySample) int { return cmp.Compare(a.latency, b.latency) })
	total, sum := 0, 0
	for _, s := range all {
		total += s.lines
	}
	for _, s := range all {
		if sum*2 < total {
			p50 = s.latency
		}
		if sum*100 < total*99 {
			p99 = s.latency
		}
		sum += s.lines
	}
	return p50, p99
}
