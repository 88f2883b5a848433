package parse

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlclark/regexp2/v2"
	"golang.org/x/sys/unix"

	"sluice/schema"
)

const (
	// patternTimeout bounds the processor's time for one line. A lookahead over a
	// line of 98 KB takes less.
	patternTimeout = 4 * time.Millisecond
	// patientTimeout is patternTimeout for whoever asks whether a line could have
	// been decided.
	patientTimeout = 100 * patternTimeout
	// patternTick is how exact regexp2's clock is. It runs while patterns are
	// matched, and takes a thousandth of a core.
	patternTick = time.Millisecond
	// patternStack bounds the memory of one match, in integers.
	patternStack = 1 << 20
	// maxStarved is how often a match is tried again that ran out of time, but
	// did not have the processor.
	maxStarved = 20
)

// setTick is called before the first match: regexp2 has one clock for the process.
var setTick = sync.OnceFunc(func() { regexp2.SetTimeoutCheckPeriod(patternTick) })

// errUndecided marks a line for which a pattern took longer than it may.
var errUndecided = fmt.Errorf("no match within %v: the pattern backtracks too much", patternTimeout)

var errStack = errors.New("no match: the pattern backtracks over too much of the line")

// backtracking is regexp2's engine, for what RE2 does not have.
type backtracking struct {
	re     *regexp2.Regexp
	groups []string
	limit  time.Duration // of a line, in processor time
	slow   atomic.Bool   // the line before could not be decided
}

func newBacktracking(expr string, limit time.Duration) (*backtracking, error) {
	re, err := regexp2.Compile(expr, regexp2.RE2, regexp2.OptionMaxBacktrackingStackSize(patternStack))
	if err != nil {
		return nil, err
	}
	setTick()
	re.MatchTimeout = limit
	b := &backtracking{re: re, limit: limit}
	for _, n := range re.GetGroupNumbers() {
		for len(b.groups) <= n {
			b.groups = append(b.groups, "")
		}
		b.groups[n] = re.GroupNameFromNumber(n)
	}
	return b, nil
}

func (b *backtracking) names() []string { return b.groups }

func (b *backtracking) find(line []byte, s *scratch) ([]int, error) {
	s.runes = s.runes[:0]
	for _, c := range line {
		s.runes = append(s.runes, rune(c))
	}
	if !b.slow.Load() {
		if spans, err := b.match(s); !timedOut(err) {
			return spans, err
		}
	}
	spans, err := b.matchMeasured(s)
	b.slow.Store(errors.Is(err, errUndecided))
	return spans, err
}

// matchMeasured tries again what ran out of time. regexp2's clock also runs while
// the process waits for a processor, and on a busy host that is long; only the
// time that this thread computed counts.
func (b *backtracking) matchMeasured(s *scratch) ([]int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range maxStarved {
		before := threadTime()
		if spans, err := b.match(s); !timedOut(err) {
			return spans, err
		}
		if threadTime()-before >= b.limit/2 {
			break
		}
	}
	return nil, errUndecided
}

func timedOut(err error) bool { return err != nil && !errors.Is(err, errStack) }

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func (b *backtracking) match(s *scratch) (spans []int, err error) {
	err = b.re.FindRunesMatches(s.runes, 0, func(v regexp2.MatchView) bool {
		s.spans = s.spans[:0]
		for group := range b.groups {
			start, n, ok := v.GroupRange(group)
			if !ok {
				start, n = -1, 0
			}
			s.spans = append(s.spans, start, start+n)
		}
		spans = s.spans
		return false
	})
	if errors.Is(err, regexp2.ErrBacktrackingStackLimit) {
		err = errStack
	}
	return spans, err
}

// Readings reads a line of a format that backtracks in the ways in which a run can
// have read it, each into rec: without a decision, and with far more time than a run
// gives it. It stops when ok returns true, and returns whether it did. Other formats
// have no such readings.
func (f *Format) Readings(line []byte, rec *schema.Record, ok func(*schema.Record) bool) bool {
	if !f.Backtracks() {
		return false
	}
	rec.Reset(line, f.fields)
	rec.Err = schema.ParseError{Directive: "pattern", Reason: errUndecided.Error()}
	if ok(rec) {
		return true
	}
	patient := *f
	patient.pattern = f.patient
	patient.Parse(line, rec)
	return ok(rec)
}
