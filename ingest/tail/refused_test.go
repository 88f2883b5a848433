package tail

import (
	"os"
	"strings"
	"testing"
	"time"
)

// zipHead is the beginning of a zip archive, with newlines that are in it by chance.
const zipHead = "PK\x03\x04\x14\x00\x00\x00\x08\x00\n\x00\n\x00\n"

// refusedNow returns the refused files in the status.
func refusedNow(w *world) string {
	w.Helper()
	w.turn(statusInterval)
	var all []string
	for _, r := range w.tailer.Status().Refused {
		all = append(all, strings.TrimPrefix(r.Path, w.dir+"/")+": "+r.Content)
	}
	return strings.Join(all, ", ")
}

// A file that is not a log is not read, is reported, and does not affect other logs; it is read
// when it has become a log.
func TestAFileThatIsNotALogIsNotRead(t *testing.T) {
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
	problems := strings.Join(s.Problems(w.clock), "\n")
	if !strings.Contains(problems, "/new.log is not read: the file is not a log but a zip archive: leave it out with --exclude") {
		t.Errorf("problems: %s", problems)
	}

	// If it grows it is still refused, and logged only once.
	for range 5 {
		w.append("new.log", zipHead)
		w.turn(time.Second)
	}
	if n := strings.Count(w.log.String(), "file is not a log, not read"); n != 3 {
		t.Errorf("logged %d times:\n%s", n, w.log.String())
	}

	// After it was overwritten it is a log, whether it was open or had gone cold.
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

// A file is checked again if its content was replaced by as many bytes in the same second, as with
// cp.
func TestAReplacedFileOfTheSameLengthIsCheckedAgain(t *testing.T) {
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

// A compressed log is not followed whatever its name is. None of its bytes are read as lines, and
// lines that only the compressed copy has are read from it.
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

// Excluded files are not followed; a followed log that is renamed to such a name is read to its
// end.
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
