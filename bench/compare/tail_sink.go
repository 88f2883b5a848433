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

// rangeSink receives the batches of a reader of ranges. It records the position and checksum of
// each, which is all that the check needs and costs about 30 ns for a line. Only one goroutine may
// call take and commit; count may be read at any time.
type rangeSink struct {
	run     uint32
	durable bool
	journal *os.File
	pending []byte // rows that are not yet written
	count   atomic.Int64
	latency *latencies
}

// pendingBytes is the size of the buffer of rows, if they need not be durable.
const pendingBytes = 64 << 10

func newRangeSink(spec tailSpec, latency *latencies) (*rangeSink, error) {
	f, err := fleet.OpenJournal(spec.Outcome)
	if err != nil {
		return nil, err
	}
	return &rangeSink{run: spec.Run, durable: spec.Durable, journal: f, latency: latency}, nil
}

// take records a batch that begins at start.
func (s *rangeSink) take(stream uint64, start int64, data []byte, lines int) error {
	first, _, _ := bytes.Cut(data, []byte{'\n'})
	id, _, ok := fleet.ParseLine(first)
	if !ok {
		id = fleet.LineID{File: math.MaxUint32} // an id that no writer uses, so the check fails
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

// commit writes the buffered rows; if durable is set, it also syncs them.
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

// latencies are the times from writing to delivery of a sample of lines. It is safe for concurrent
// use.
type latencies struct {
	now func() time.Time
	on  atomic.Bool
	mu  sync.Mutex
	all []latencySample
}

// latencySample is a latency with the number of lines that it represents.
type latencySample struct {
	latency time.Duration
	lines   int
}

// linesASample is the maximum number of lines of a batch for one sample.
const linesASample = 64

// sample begins or ends a window.
func (l *latencies) sample(on bool) {
	if on {
		l.mu.Lock()
		l.all = l.all[:0]
		l.mu.Unlock()
	}
	l.on.Store(on)
}

// batch takes samples from randomly chosen lines of the batch.
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

// add adds a sample of a line written at nanos, which represents a number of lines.
func (l *latencies) add(nanos int64, lines int) {
	if !l.on.Load() {
		return
	}
	s := latencySample{time.Duration(l.now().UnixNano() - nanos), max(lines, 1)}
	l.mu.Lock()
	l.all = append(l.all, s)
	l.mu.Unlock()
}

// quantiles returns the median and the 99th percentile; 0 without samples.
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
