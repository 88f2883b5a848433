package tail

import (
	"os"
	"strings"
	"testing"
	"time"
)

// After a power failure of the host a log can be shorter than what was received of it. All its lines
// are read, as another stream, and for a day the operator sees that some may be stored twice.
func TestALogThatIsShorterThanWhatWasReceivedIsReadAgainWithAWarning(t *testing.T) {
	for name, more := range map[string]int{"shorter": 2, "longer again": 20} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before, after := lines("before", 10), lines("after", more)
			w.append("a.log", before)
			w.start()
			w.turns(2)
			w.stop()
			kept := lines("before", 7)
			w.must(os.Truncate(w.path("a.log"), int64(len(kept))))
			w.append("a.log", after)
			w.start()
			defer w.stop()
			since := w.clock
			w.turns(2)
			w.want(before, kept+after)
			warnings := func(d time.Duration) string {
				w.turn(d)
				s := w.tailer.Status()
				return strings.Join(s.Warnings(w.clock), "\n")
			}
			want := w.path("a.log") + " does not continue what was received of it, as after a power failure of the host; it is read again as another log since " + since.UTC().Format(time.RFC3339)
			if got := warnings(2 * statusInterval); !strings.Contains(got, want) {
				t.Errorf("%q", got)
			}
			if got := warnings(repeatFor); got != "" {
				t.Errorf("a day later: %q", got)
			}
		})
	}
}

// A log that continues where it was read to is no such case, nor is one that was replaced.
func TestALogThatContinuesIsNotReadAgain(t *testing.T) {
	w := newWorld(t)
	w.append("a.log", lines("a", 10))
	w.append("b.log", lines("b", 10))
	w.start()
	w.turns(2)
	w.stop()
	w.append("a.log", lines("more", 1))
	w.truncate("b.log")
	w.append("b.log", lines("other", 1))
	w.start()
	defer w.stop()
	w.turn(2 * statusInterval)
	if got := w.tailer.Status().Repeated; len(got) > 0 {
		t.Errorf("%v", got)
	}
}
