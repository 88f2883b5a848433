package tail

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLogsThatChangeWhileStopped has one scenario a row: what happens to the logs between two runs
// of the process. Each begins with a log whose lines a are stored.
func TestLogsThatChangeWhileStopped(t *testing.T) {
	a, b, c := lines("a", 3), lines("b", 3), lines("c", 3)
	tests := []struct {
		name     string
		patterns []string
		do       func(w *world)
		want     []string
		lost     int64
	}{
		{"nothing", nil, func(w *world) {}, []string{a}, 0},
		{"grown", nil, func(w *world) { w.append("access.log", b) }, []string{a + b}, 0},
		{"renamed to a name of no source, with lines unread", nil, func(w *world) {
			w.append("access.log", b)
			w.rename("access.log", "access.log.1")
			w.append("access.log", c)
		}, []string{a, c, b}, 0},
		{"renamed within the source", []string{"access.log*"}, func(w *world) {
			w.append("access.log", b)
			w.rename("access.log", "access.log.1")
			w.append("access.log", c)
		}, nil, 0},
		{"copied and truncated", nil, func(w *world) {
			w.append("access.log", b)
			w.copy("access.log", "access.log.1")
			w.truncate("access.log")
			w.append("access.log", c)
		}, nil, 0},
		{"copied and truncated, the copy in the source", []string{"access.log*"}, func(w *world) {
			w.append("access.log", b)
			w.copy("access.log", "access.log.1")
			w.truncate("access.log")
			w.append("access.log", c)
		}, nil, 0},
		{"rotated and compressed", nil, func(w *world) {
			w.append("access.log", b)
			w.gzip(a+b, "access.log.1.gz")
			w.remove("access.log")
			w.append("access.log", c)
		}, nil, 0},
		{"rotated and compressed when all was read", nil, func(w *world) {
			w.gzip(a, "access.log.1.gz")
			w.remove("access.log")
			w.append("access.log", c)
		}, []string{a, c}, 0},
		{"grown, looked at, and removed before it was stored", nil, func(w *world) {
			w.append("access.log", b)
			w.start()
			w.hold = true
			w.turn(time.Second)
			w.append("access.log", c)
			w.turn(time.Second)
			w.tailer.margins.update()
			w.kept, w.hold = nil, false
			w.save()
			w.crash()
			w.remove("access.log")
		}, nil, int64(len(c))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.patterns...)
			w.append("access.log", a)
			w.start()
			w.stop()
			test.do(w)
			if w.tailer != nil {
				w.stop()
			}
			w.start()
			w.turns(5)
			if got := w.tailer.counters.LostBytes.Load(); got != test.lost {
				t.Errorf("%d bytes are counted as lost, want %d\n%s", got, test.lost, w.log.String())
			}
			switch {
			case test.want != nil:
				w.wantSet(test.want...)
			case test.lost == 0:
				w.wantSet(a+b, c)
			}
			w.stop()
			got := len(w.got)
			w.start() // nothing is read again
			w.turns(2)
			if len(w.got) != got {
				t.Errorf("after a restart there are %d streams, after %d\n%s", len(w.got), got, w.log.String())
			}
			w.tailer.stop()
		})
	}
}

// wantSet is want in any order; a text that a row has only in part (b alone) may be the rest of
// another stream.
func (w *world) wantSet(texts ...string) {
	w.Helper()
	all := strings.Join(texts, "")
	var got strings.Builder
	for _, id := range w.order {
		got.Write(w.got[id])
	}
	if len(all) != got.Len() {
		w.Errorf("delivered %d bytes, want %d\n%s", got.Len(), len(all), w.log.String())
	}
	for _, text := range texts {
		if strings.Count(got.String(), text) != 1 {
			w.Errorf("%.90q is delivered %d times\n%s", text, strings.Count(got.String(), text), w.log.String())
		}
	}
}

// FromEnd skips only what existed at the first start: later logs are read completely, and after a
// restart reading continues.
func TestFromEndSkipsWhatWasThereBefore(t *testing.T) {
	a, b, c := lines("a", 3), lines("b", 3), lines("c", 3)
	w := newWorld(t)
	w.fromEnd = true
	w.append("old.log", a+"a line that is not fini")
	w.start()
	w.append("old.log", "shed\n"+b)
	w.append("new.log", c)
	w.turn(time.Second)
	w.wantSet("a line that is not finished\n"+b, c)
	w.stop()
	d := lines("d", 3)
	w.append("old.log", d)
	w.append("away.log", a)
	w.start()
	w.tailer.stop()
	w.wantSet("a line that is not finished\n"+b+d, c, a)
}

// A source with a regular expression matches like a Flume TAILDIR source; every source has its own
// format and labels.
func TestARegularExpressionNamesLogs(t *testing.T) {
	w := newWorld(t, `re:access_\d+`, "*.txt")
	w.append("access_1", lines("a", 1))
	w.append("access_1x", lines("b", 1))
	w.append("x.txt", lines("c", 1))
	w.start()
	w.wantSet(lines("a", 1), lines("c", 1))
	for _, s := range w.checkpoint.Streams() {
		want := "*.txt"
		if strings.HasSuffix(s.Path, "access_1") {
			want = `re:access_\d+`
		}
		if s.Labels["of"] != want || s.Format != "common" {
			t.Errorf("%s has labels %v and format %s", s.Path, s.Labels, s.Format)
		}
	}
	w.tailer.stop()
}

// A log that cannot be read is tried again and reported in the status meanwhile; the others are
// read.
func TestALogThatCannotBeReadIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	asNobody(t, w.dir)
	w.append("shut.log", lines("a", 1))
	w.append("open.log", lines("b", 1))
	w.must(os.Chmod(w.path("open.log"), 0o644))
	w.must(os.Chmod(w.path("shut.log"), 0))
	w.start()
	w.append("open.log", lines("c", 1))
	w.turns(6)
	if got := w.tailer.Status().Failing; len(got) != 1 || got[0].Path != w.path("shut.log") || got[0].Attempts < 2 || !strings.Contains(got[0].Error, "permission denied") {
		t.Errorf("failing: %+v, want shut.log with some attempts", got)
	}
	w.must(os.Chmod(w.path("shut.log"), 0o644))
	w.turns(40)
	if got := w.tailer.Status().Failing; len(got) != 0 {
		t.Errorf("still failing: %+v", got)
	}
	for _, said := range []string{"log read failed, retrying", "log read recovered"} {
		if got := strings.Count(w.log.String(), said); got != 1 {
			t.Errorf("logged %d times %q\n%s", got, said, w.log.String())
		}
	}
	w.wantSet(lines("a", 1), lines("b", 1)+lines("c", 1))
	w.tailer.stop()
}

// logrotate creates a log without permissions and sets owner and mode after that. That is not
// logged as a failure.
func TestALogThatIsBeingCreatedIsNoWarning(t *testing.T) {
	w := newWorld(t)
	asNobody(t, w.dir)
	w.start()
	w.append("new.log", lines("a", 1))
	w.must(os.Chmod(w.path("new.log"), 0))
	w.turns(1)
	if got := w.tailer.Status().Failing; len(got) != 1 {
		t.Fatalf("failing: %+v, want new.log", got)
	}
	w.must(os.Chmod(w.path("new.log"), 0o644))
	w.turns(3)
	w.wantSet(lines("a", 1))
	if strings.Contains(w.log.String(), "read") {
		t.Errorf("logged\n%s", w.log.String())
	}
	w.tailer.stop()
}

// asNobody runs the rest of the test without root's permission to open every file.
func asNobody(t *testing.T, dir string) {
	if os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			break
		}
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := unix.SetfsuidRetUid(0); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	})
}

// A directory that was removed is listed again when it exists again.
func TestADirectoryThatVanishesIsTriedAgain(t *testing.T) {
	w := newWorld(t, "site*/access.log")
	w.must(os.Mkdir(w.path("site1"), 0o700))
	w.append("site1/access.log", lines("a", 1))
	w.start()
	w.must(os.RemoveAll(w.path("site1")))
	w.turns(12)
	if got := w.tailer.Status().Failing; len(got) != 1 || got[0].Path != w.path("site1") {
		t.Errorf("failing: %+v, want site1\n%s", got, w.log.String())
	}
	w.must(os.Mkdir(w.path("site1"), 0o700))
	w.append("site1/access.log", lines("b", 1))
	w.must(os.Mkdir(w.path("site2"), 0o700))
	w.append("site2/access.log", lines("c", 1))
	w.turns(40)
	w.wantSet(lines("a", 1), lines("b", 1), lines("c", 1))
	if got := w.tailer.Status().Failing; len(got) != 0 {
		t.Errorf("still failing: %+v", got)
	}
	w.tailer.stop()
}

// A name for which stat fails is tried again, and other names in its directory, new ones too, are
// found at once meanwhile.
func TestANameWithoutStatIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.must(os.Symlink("loop.log", w.path("loop.log")))
	w.start()
	w.append("new.log", lines("a", 1))
	w.turn(time.Second)
	w.want(lines("a", 1))
	w.turns(30)
	if got := w.tailer.Status().Failing; len(got) != 1 || got[0].Path != w.path("loop.log") || got[0].Attempts < 2 {
		t.Errorf("failing: %+v, want loop.log with some attempts", got)
	}
	if n := strings.Count(w.log.String(), "log stat failed, retrying"); n != 1 {
		t.Errorf("logged %d times\n%s", n, w.log.String())
	}
	w.remove("loop.log")
	w.append("loop.log", lines("b", 1))
	w.turns(6)
	w.want(lines("a", 1), lines("b", 1))
	if got := w.tailer.Status().Failing; len(got) != 0 {
		t.Errorf("still failing: %+v", got)
	}
	w.tailer.stop()
}
