package tail

import (
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

// A log with equal lines whose name could be a rotation's is read after some seconds, and at once
// when it is deleted.
func TestALogIsHeldBackOnlyWhileItCanBeACopy(t *testing.T) {
	a := lines("a", 3)
	for _, deleted := range []bool{false, true} {
		w := newWorld(t, "access_log*")
		w.start()
		w.append("access_log", a)
		w.turn(time.Second)
		w.append("access_log.443", a)
		w.turns(6)
		if s := w.tailer.Status(); len(s.Held) != 1 || s.UnreadBytes != int64(len(a)) {
			t.Errorf("held %v, %d bytes unread, want %d", s.Held, s.UnreadBytes, len(a))
		}
		w.want(a)
		if deleted {
			w.remove("access_log.443")
			w.turns(2)
		} else {
			w.turn(holdFor)
			w.turns(2)
		}
		w.want(a, a)
		w.turns(5)
		if s := w.tailer.Status(); len(s.Held) != 0 || s.UnreadBytes != 0 {
			t.Errorf("held %v, %d bytes unread", s.Held, s.UnreadBytes)
		}
		w.stop()
	}
}

// A copy that was made later than the log is not read until it differs from it.
func TestACopyMadeByHandIsNotReadUntilItDiffers(t *testing.T) {
	a, b, c := lines("a", 3), lines("b", 3), lines("c", 3)
	w := newWorld(t, "access.log*")
	w.born = map[string]time.Duration{"access.log.bak": time.Hour}
	w.append("access.log", a)
	w.start()
	w.copy("access.log", "access.log.bak")
	w.turns(40)
	w.append("access.log", b)
	w.turns(40)
	if s := w.tailer.Status(); len(s.Copies) != 1 || len(s.Held) != 0 || s.UnreadBytes != 0 {
		t.Errorf("copies %v, held %v, %d bytes unread", s.Copies, s.Held, s.UnreadBytes)
	}
	if n := w.openFiles(); n > 1 {
		t.Errorf("%d files are open", n)
	}
	w.want(a + b)
	w.append("access.log.bak", c)
	w.turns(3)
	w.want(a+b, a+c)
	w.stop()
}

// The bytes before a truncation that were read are no backlog.
func TestATruncatedLogThatWasReadIsNoBacklog(t *testing.T) {
	w := newWorld(t)
	w.minMargin = time.Hour
	w.generation("access.log.2", 100*time.Second)
	w.generation("access.log.1", 50*time.Second)
	w.append("access.log", strings.Repeat(lines("a", 100), 100))
	w.start()
	w.turns(12)
	for range 3 {
		w.truncate("access.log")
		w.append("access.log", lines("b", 3))
		w.turns(12)
	}
	if said := w.log.String(); strings.Contains(said, "about to be deleted") {
		t.Errorf("logged\n%s", said)
	}
	w.stop()
}

// A checkpoint of an older version, which has the last bytes only, still identifies copies.
func TestACheckpointOfAnOlderVersionKnowsCopies(t *testing.T) {
	a, b, c := lines("a", 30), lines("b", 3), lines("c", 3)
	w := newWorld(t)
	w.append("access.log", a)
	w.start()
	w.stop()
	path := w.path("state/checkpoint")
	text, err := os.ReadFile(path)
	w.must(err)
	body, _, _ := strings.Cut(string(text), "\n")
	for _, field := range []string{`"marks":\[\[.*?\]\],`, `"born_ns":\[.*?\],?`, `"grown_unix":\d+,?`} {
		shorter := regexp.MustCompile(field).ReplaceAllString(body, "")
		if shorter == body {
			t.Errorf("%s is not in %s", field, body)
		}
		body = shorter
	}
	body = strings.ReplaceAll(body, ",}", "}")
	sum := crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli))
	w.must(os.WriteFile(path, fmt.Appendf(nil, "%s\n%08x\n", body, sum), 0o600))
	if _, err := checkpoint.Open(vfs.OS{}, path, "c1"); err != nil {
		t.Fatal(err)
	}
	w.append("access.log", b)
	w.gzip(a+b, "20261128-access.log.gz")
	w.remove("access.log")
	w.append("access.log", c)
	w.start()
	w.turns(3)
	w.wantSet(a+b, c)
	w.stop()
}
