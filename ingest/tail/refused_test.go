package tail

import (
	"os"
	"strings"
	"testing"
	"time"
)

// zipHead is the beginning of a zip archive, with newlines as they happen to be in it.
const zipHead = "PK\x03\x04\x14\x00\x00\x00\x08\x00\n\x00\n\x00\n"

// refusedNow returns what the status says is no log.
func refusedNow(w *world) string {
	w.Helper()
	w.turn(statusInterval)
	var all []string
	for _, r := range w.tailer.Status().Refused {
		all = append(all, strings.TrimPrefix(r.Path, w.dir+"/")+": "+r.Content)
	}
	return strings.Join(all, ", ")
}

// TestAFileThatIsNoLogIsNotRead, is named, and disturbs no log; it is read when it has
// become one.
func TestAFileThatIsNoLogIsNotRead(t *testing.T) {
	a, b := lines("a", 3), lines("b", 3)
	w := newWorld(t)
	w.append("a.log", a)
	w.append("old.log", zipHead)
	w.start()
	w.append("new.log", zipHead)
	w.append("utf16.log", "\xff\xfe1\x00.\x00\n\x00")
	w.turns(3)
	w.want(a)
	if got, want := refusedNow(w), "new.log: a zip archive, old.log: a zip archive, utf16.log: UTF-16 text (little-endian)"; got != want {
		t.Errorf("refused: %q, want %q", got, want)
	}
	s := w.tailer.Status()
	if s.UnreadBytes != 0 || s.UnreadSeconds != 0 || s.WrittenBytes != int64(len(a)) {
		t.Errorf("%d bytes unread of %d written: a zip counts", s.UnreadBytes, s.WrittenBytes)
	}
	troubles := strings.Join(s.Troubles(w.clock), "\n")
	if !strings.Contains(troubles, "/new.log is not read: the file is not a log but a zip archive: leave it out with --exclude") {
		t.Errorf("troubles: %s", troubles)
	}

	// One that grows is still none; the log of this says so once.
	for range 5 {
		w.append("new.log", zipHead)
		w.turn(time.Second)
	}
	if n := strings.Count(w.log.String(), "file is not a log, not read"); n != 3 {
		t.Errorf("said %d times:\n%s", n, w.log.String())
	}

	// Written anew it is a log, be it while it is looked at, or long after, cold.
	w.truncate("new.log")
	w.append("new.log", b)
	w.turns(3)
	w.want(a, b)
	w.turns(200)
	c := lines("c", 3)
	w.truncate("old.log")
	w.append("old.log", c)
	w.turns(3)
	w.want(a, b, c)
	w.remove("utf16.log")
	if got := refusedNow(w); got != "" {
		t.Errorf("still refused: %s", got)
	}
	w.stop()
}

// TestAFileOfTheSameLengthIsLookedAtAgain: cp over it, in the same second.
func TestAFileOfTheSameLengthIsLookedAtAgain(t *testing.T) {
	w := newWorld(t)
	a := lines("a", 1)
	w.append("a.log", zipHead+strings.Repeat("\x00", len(a)-len(zipHead)))
	before := time.Now().Add(-time.Minute) // the file system's clock is coarse
	w.must(os.Chtimes(w.path("a.log"), before, before))
	w.start()
	w.turns(2)
	w.want()
	w.truncate("a.log")
	w.append("a.log", a)
	w.turns(3)
	w.want(a)
	w.stop()
}

// TestACompressedLogIsNotFollowedWhateverItsName: nothing of it is taken for lines, and
// what only the compressed copy has is read from there.
func TestACompressedLogIsNotFollowedWhateverItsName(t *testing.T) {
	a, b, c := lines("a", 300), lines("b", 300), lines("c", 3)
	w := newWorld(t, "access.log*")
	w.append("access.log", a)
	w.gzip(lines("o", 3), "access.log.7")
	w.start()
	w.turns(2)
	w.want(a)
	if got := refusedNow(w); got != "" {
		t.Errorf("refused: %s", got)
	}
	w.stop()
	w.append("access.log", b)
	w.gzip(a+b, "access.log.1")
	w.remove("access.log")
	w.append("access.log", c)
	w.start()
	w.turns(20)
	w.want(a+b, c)
	w.stop()
}

// TestExcludedFilesAreNotFollowed; a log that is followed and gets such a name is read to
// its end.
func TestExcludedFilesAreNotFollowed(t *testing.T) {
	a, b := lines("a", 3), lines("b", 3)
	w := newWorld(t, "*")
	w.sources[0].Exclude = []string{"*.old", w.dir + "/state*"}
	w.append("a.log", a)
	w.append("b.old", b)
	w.start()
	w.append("c.old", b)
	w.turns(3)
	w.want(a)
	w.rename("a.log", "a.old")
	w.append("a.old", b)
	w.turns(3)
	w.want(a + b)
	w.stop()
}
