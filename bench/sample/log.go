// Package sample makes Apache access logs from a seed: the same seed gives the
// same bytes, on every machine. The lines look like a busy site's, in the
// combined format with a mean of some 226 bytes; one in 200 is odd in one of the
// ways that break parsers.
package sample

import (
	"io"
	"math/bits"
	"math/rand/v2"
	"time"
)

// DefaultLinesPerSecond is how fast times rise.
const DefaultLinesPerSecond = 200

// defaultStart is five minutes before midnight, so that a log of more than
// 60,000 lines belongs to two days.
var defaultStart = time.Date(2026, time.September, 2, 23, 55, 0, 0, time.FixedZone("", 2*60*60))

const (
	oddPerMille    = 5
	lateTenPerMill = 15 // lines in 10,000 that stand behind later ones
	maxLateSeconds = 30
	blockBytes     = 64 << 10 // what is made at a time
)

// Log is a log that is made while it is read. It is not safe for concurrent use.
type Log struct {
	// Start is the first line's time, in the zone that the lines say, and
	// LinesPerSecond how fast times rise from there. They may be set before the
	// first Read.
	Start          time.Time
	LinesPerSecond int

	rng   *rand.PCG
	site  *site
	lines int // to be made
	made  int // so far

	block []byte // made, from next on not read yet
	next  int

	second int64 // whose text stamp is, seconds since Start
	stamp  []byte
}

// New returns a log of so many lines, each with its newline.
func New(seed uint64, lines int) *Log {
	l := &Log{
		Start: defaultStart, LinesPerSecond: DefaultLinesPerSecond,
		rng: rand.NewPCG(seed, 0x736c75696365), lines: lines, second: -1,
	}
	l.site = newSite(l)
	return l
}

// Write writes the log of that seed to w.
func Write(w io.Writer, seed uint64, lines int) error {
	_, err := New(seed, lines).WriteTo(w)
	return err
}

// Read implements io.Reader. A line may come in two pieces.
func (l *Log) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if l.next == len(l.block) && !l.fill() {
		return 0, io.EOF
	}
	n := copy(p, l.block[l.next:])
	l.next += n
	return n, nil
}

// WriteTo implements io.WriterTo: it writes what is left of the log, and only
// whole lines at a time.
func (l *Log) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for l.next < len(l.block) || l.fill() {
		n, err := w.Write(l.block[l.next:])
		written += int64(n)
		l.next += n
		if err != nil {
			return written, err
		}
		if l.next < len(l.block) {
			return written, io.ErrShortWrite
		}
	}
	return written, nil
}

// fill makes the next block of whole lines; false at the log's end.
func (l *Log) fill() bool {
	l.block, l.next = l.block[:0], 0
	for len(l.block) < blockBytes && l.made < l.lines {
		l.appendLine()
		l.made++
	}
	return len(l.block) > 0
}

// below returns a number in [0, n).
func (l *Log) below(n int) int {
	high, _ := bits.Mul64(l.rng.Uint64(), uint64(n))
	return int(high)
}

// in reports true for k in n calls.
func (l *Log) in(k, n int) bool { return l.below(n) < k }

// appendTime appends the time of the line that is being made. A few lines are
// late: Apache writes a line when a request ends, with the time it began at.
func (l *Log) appendTime(b []byte) []byte {
	second := int64(l.made) / int64(l.LinesPerSecond)
	if l.in(lateTenPerMill, 10_000) {
		second -= int64(1 + l.below(maxLateSeconds))
		return l.format(b, second)
	}
	if second != l.second {
		l.second, l.stamp = second, l.format(l.stamp[:0], second)
	}
	return append(b, l.stamp...)
}

func (l *Log) format(b []byte, second int64) []byte {
	return l.Start.Add(time.Duration(second)*time.Second).AppendFormat(b, "[02/Jan/2006:15:04:05 -0700]")
}
