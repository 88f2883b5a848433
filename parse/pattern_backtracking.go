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
	// patternTimeout bounds the CPU time for a line of up to longLine bytes, longTimeout for a
	// longer one. A pattern that backtracks but is linear, such as one with a lookahead at each
	// byte, takes 0.1 µs a byte.
	patternTimeout = 4 * time.Millisecond
	longTimeout    = 40 * time.Millisecond
	longLine       = 8 << 10
	// retryTimeout is patternTimeout for Readings.
	retryTimeout = 100 * patternTimeout
	// patternTick is the resolution of regexp2's clock, which runs while patterns are matched and
	// takes a thousandth of a core.
	patternTick = time.Millisecond
	// patternStack bounds the memory of one match, in integers.
	patternStack = 1 << 20
	// maxStarved bounds the retries of a match that reached its time limit without having the CPU.
	maxStarved = 20
)

// setTick is called before the first match: regexp2 has one clock for the process.
var setTick = sync.OnceFunc(func() { regexp2.SetTimeoutCheckPeriod(patternTick) })

// The errors for a line that reached the time limit of a pattern.
var (
	errUndecided     = fmt.Errorf("no match within %v: the pattern backtracks too much", patternTimeout)
	errLongUndecided = fmt.Errorf("no match within %v: the pattern backtracks too much", longTimeout)
)

// undecided returns the error for a line that was given up.
func undecided(line []byte) error {
	if len(line) > longLine {
		return errLongUndecided
	}
	return errUndecided
}

var errStack = errors.New("no match: the pattern backtracks over too much of the line")

// backtracking is regexp2's engine, for expressions that RE2 does not support.
type backtracking struct {
	short  *regexp2.Regexp // for lines of up to longLine bytes
	long   *regexp2.Regexp
	groups []string
	slow   atomic.Bool // the previous line reached the limit
}

// newBacktracking compiles the expression with a time limit for a line, and ten times that for a
// long one.
func newBacktracking(expr string, limit time.Duration) (*backtracking, error) {
	setTick()
	b := new(backtracking)
	for re, timeout := range map[**regexp2.Regexp]time.Duration{&b.short: limit, &b.long: limit / patternTimeout * longTimeout} {
		var err error
		if *re, err = regexp2.Compile(expr, regexp2.RE2, regexp2.OptionMaxBacktrackingStackSize(patternStack)); err != nil {
			return nil, err
		}
		(*re).MatchTimeout = timeout
	}
	for _, n := range b.short.GetGroupNumbers() {
		for len(b.groups) <= n {
			b.groups = append(b.groups, "")
		}
		b.groups[n] = b.short.GroupNameFromNumber(n)
	}
	return b, nil
}

func (b *backtracking) names() []string { return b.groups }

func (b *backtracking) find(line []byte, s *scratch) ([]int, error) {
	s.runes = s.runes[:0]
	for _, c := range line {
		s.runes = append(s.runes, rune(c))
	}
	re := b.short
	if len(line) > longLine {
		re = b.long
	}
	if !b.slow.Load() {
		if spans, err := b.match(re, s); !timedOut(err) {
			return spans, err
		}
	}
	spans, err := b.matchMeasured(re, s)
	b.slow.Store(timedOut(err))
	if timedOut(err) {
		err = undecided(line)
	}
	return spans, err
}

// matchMeasured retries a match that reached its time limit. regexp2's clock also runs while the
// process waits for a CPU, which takes long on a busy host; only the CPU time of this thread
// counts.
func (b *backtracking) matchMeasured(re *regexp2.Regexp, s *scratch) (spans []int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range maxStarved {
		before := threadTime()
		if spans, err = b.match(re, s); !timedOut(err) || threadTime()-before >= re.MatchTimeout/2 {
			break
		}
	}
	return spans, err
}

func timedOut(err error) bool { return err != nil && !errors.Is(err, errStack) }

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func (b *backtracking) match(re *regexp2.Regexp, s *scratch) (spans []int, err error) {
	err = re.FindRunesMatches(s.runes, 0, func(v regexp2.MatchView) bool {
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

// Readings parses a line of a format that backtracks in the ways in which a run can have parsed it,
// each into rec: undecided, and with a far longer time limit than a run's. It stops when ok returns
// true, and returns whether it did. For other formats it returns false.
func (f *Format) Readings(line []byte, rec *schema.Record, ok func(*schema.Record) bool) bool {
	if !f.Backtracks() {
		return false
	}
	rec.Reset(line, f.fields)
	rec.Err = schema.ParseError{Directive: "pattern", Reason: undecided(trimCR(line)).Error()}
	if ok(rec) {
		return true
	}
	retryPattern := *f
	retryPattern.pattern = f.retryPattern
	retryPattern.Parse(line, rec)
	return ok(rec)
}
