package tail

import (
	"os"
	"strings"
	"testing"
	"time"

	"sluice/parse"
)

// TestALongLogThatWasIdleBeforeTheStartIsClosedAtOnce checks that a log that is longer than the part
// that identifies it does not count as written because of that.
func TestALongLogThatWasIdleBeforeTheStartIsClosedAtOnce(t *testing.T) {
	w := newWorld(t)
	text := lines("a", 10+2*parse.HeadBytes/len(commonLine))
	w.append("access.log", text)
	idle := func() {
		w.must(os.Chtimes(w.path("access.log"), w.clock.Add(-time.Hour), w.clock.Add(-time.Hour)))
	}
	idle()
	w.start()
	w.turns(7)
	if s := w.tailer.Status(); s.Files != 1 || s.Hot != 0 {
		t.Errorf("%d of %d logs are open", s.Hot, s.Files)
	}
	w.want(text)
	w.stop()
	idle()
	w.start()
	w.turns(7)
	if s := w.tailer.Status(); s.Files != 1 || s.Hot != 0 {
		t.Errorf("after a restart %d of %d logs are open", s.Hot, s.Files)
	}
	w.append("access.log", lines("b", 1)) // written again
	w.turns(3)
	if !strings.HasSuffix(string(w.got[w.order[0]]), lines("b", 1)) {
		t.Error("the line that was written later was not read")
	}
}
