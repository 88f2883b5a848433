package tail

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// meter is a Gate that permits a number of bytes for each second of the world's clock.
type meter struct {
	world     *world
	perSecond int
	second    int64
	left      int
	urgent    []string // the reasons that it was given, without repetitions; "" is not urgent
}

func (g *meter) Allow(want int) int {
	if s := g.world.clock.Unix(); s != g.second {
		g.second, g.left = s, g.perSecond
	}
	return min(want, g.left)
}

func (g *meter) Read(n int) { g.left -= n }

func (g *meter) Wait() time.Duration { return time.Second }

func (g *meter) SetUrgent(urgent bool, reason string) {
	if !urgent {
		reason = ""
	}
	if n := len(g.urgent); n == 0 || (g.urgent[n-1] == "") != (reason == "") {
		g.urgent = append(g.urgent, reason)
	}
}

// generation creates an earlier generation of a log that was last written so long ago.
func (w *world) generation(name string, ago time.Duration) {
	w.Helper()
	w.append(name, lines(name, 1))
	w.must(os.Chtimes(w.path(name), w.clock, w.clock.Add(-ago)))
}

// Two generations are kept, 50 s apart, so unread lines are deleted in 100 s; they are warned of.
func TestUnreadLinesThatRotationWillDeleteAreWarnedOf(t *testing.T) {
	const backlogBytes = 10 << 20
	for _, test := range []struct {
		name        string
		generations int
		minMargin   time.Duration
		perSecond   int
		warned      bool
	}{
		{"too slow for what is left", 2, 30 * time.Second, 50 << 10, true},
		{"in time, but by less than the margin", 2, 95 * time.Second, 400 << 10, true},
		{"in time", 2, 30 * time.Second, 400 << 10, false},
		{"no margin is asked for", 2, 0, 50 << 10, false},
		{"too few generations to tell", 1, 30 * time.Second, 50 << 10, false},
		{"many are kept", 20, 30 * time.Second, 50 << 10, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			gate := &meter{world: w, perSecond: test.perSecond}
			w.gate, w.minMargin = gate, test.minMargin
			for n := range test.generations {
				w.generation("access.log."+string(rune('a'+n)), time.Duration(n+1)*50*time.Second)
			}
			for n := range test.generations {
				w.rename("access.log."+string(rune('a'+n)), "access.log.2026"+strings.Repeat("1", n+1))
			}
			w.append("access.log", strings.Repeat(lines("a", 100), backlogBytes/len(lines("a", 100))+1))
			w.start()
			w.turns(12)
			const sentence = "unread lines are about to be deleted"
			if said := strings.Count(w.log.String(), sentence); said != map[bool]int{true: 1}[test.warned] {
				t.Errorf("warned %d times\n%s", said, w.log.String())
			}
			behind := w.tailer.Status().Behind
			if len(behind) != 1 || behind[0].Path != w.path("access.log") {
				t.Fatalf("behind: %+v", behind)
			}
			known := test.generations > 1 && test.minMargin > 0
			if (behind[0].MarginSeconds != nil) != known {
				t.Errorf("the margin is known: %v, want %v", behind[0].MarginSeconds != nil, known)
			}
			last := gate.urgent[len(gate.urgent)-1]
			if (last != "") != test.warned || test.warned && !strings.Contains(last, "access.log") {
				t.Errorf("the gate got the reasons %q", gate.urgent)
			}
			gate.perSecond = 1 << 30 // as with --catch-up
			w.turns(12)
			if last := gate.urgent[len(gate.urgent)-1]; last != "" {
				t.Errorf("nothing is unread, and the gate got the reason %q", last)
			}
			w.tailer.stop()
		})
	}
}

// A copy that is held back and an incomplete line are no backlog, however slow reading is.
func TestHeldCopiesAndIncompleteLinesAreNoBacklog(t *testing.T) {
	w := newWorld(t, "access.log*")
	gate := &meter{world: w, perSecond: 1 << 30}
	w.gate, w.minMargin = gate, time.Hour
	w.generation("access.log.2", 100*time.Second)
	w.generation("access.log.1", 50*time.Second)
	w.append("access.log", strings.Repeat(lines("log", 100), 100))
	w.start()
	w.copy("access.log", "access.log.copy")
	w.rename("access.log.copy", "access.log.20261124")
	w.born = map[string]time.Duration{"access.log.20261124": time.Minute}
	w.turns(30)
	w.append("access.log", "not fini")
	w.turns(30)
	status := w.tailer.Status()
	if len(status.Held) != 0 || len(status.Copies) != 1 || status.UnreadBytes != int64(len("not fini")) || len(status.Behind) != 1 {
		t.Errorf("copies %v, %d bytes unread, behind %+v\n%s", status.Copies, status.UnreadBytes, status.Behind, w.log.String())
	}
	for _, reason := range gate.urgent {
		if reason != "" {
			t.Errorf("the gate got the reason %q", reason)
		}
	}
	w.tailer.stop()
}

// A renamed log that waits long for being read is not cut inside a line because it is quiet, and
// its lines do not bypass the gate because they are old.
func TestABacklogOfARenamedLogIsNotCutInsideALine(t *testing.T) {
	for _, removed := range []bool{false, true} {
		w := newWorld(t, "access.log*")
		gate := &meter{world: w, perSecond: 1 << 30}
		w.gate = gate
		w.start()
		w.append("access.log", lines("a", 10))
		w.turns(2)
		gate.perSecond = 0
		backlog := strings.Repeat(lines("b", 1000), 3*bufferBytes/len(lines("b", 1000)))
		w.append("access.log", backlog+"the last line has no newline")
		w.rename("access.log", "access.log.1")
		w.turns(1)
		if removed {
			w.remove("access.log.1")
		}
		w.turns(60)
		w.want(lines("a", 10))
		gate.perSecond = 1 << 30
		w.turns(60)
		w.turn(orphanQuiet)
		w.turns(3)
		w.want(lines("a", 10) + backlog + "the last line has no newline")
		w.stop()
	}
}

// A log that is truncated while nothing may be read is reported as lost at once, also if another
// log waits first, and only once.
func TestATruncationIsReportedWhileReadingWaits(t *testing.T) {
	w := newWorld(t, "*.log")
	gate := &meter{world: w, perSecond: 1 << 20}
	w.gate = gate
	w.append("a.log", lines("a", 10))
	w.append("b.log", lines("b", 10))
	w.start()
	w.turn(statusInterval)
	gate.perSecond, gate.left = 0, 0
	more := lines("more", 100)
	w.append("a.log", more)
	w.append("b.log", more)
	w.turn(2 * statusInterval)
	w.truncate("b.log")
	w.append("b.log", lines("new", 1))
	w.turn(2 * statusInterval)
	s := w.tailer.Status()
	if len(s.Losses) != 1 || s.Losses[0].Bytes != int64(len(more)) || s.Losses[0].Path != w.path("b.log") {
		t.Errorf("losses %v, want %d bytes", s.Losses, len(more))
	}
	gate.perSecond = 1 << 20
	w.turn(2 * statusInterval)
	if n := w.tailer.Counters().LostFiles.Load(); n != 1 {
		t.Errorf("%d losses, want 1", n)
	}
	if s := w.tailer.Status(); s.UnreadBytes != 0 {
		t.Errorf("%d bytes unread", s.UnreadBytes)
	}
}

// The same for a log of which nothing was read yet.
func TestATruncationIsReportedBeforeAnythingIsRead(t *testing.T) {
	w := newWorld(t, "*.log")
	w.gate = &meter{world: w}
	w.append("a.log", lines("a", 100))
	w.start()
	w.turn(2 * statusInterval)
	w.truncate("a.log")
	w.turn(2 * statusInterval)
	if s := w.tailer.Status(); len(s.Losses) != 1 || s.Losses[0].Bytes != int64(len(lines("a", 100))) {
		t.Errorf("losses %v", s.Losses)
	}
}

// A log that was truncated while it was followed is not reported again after a restart, as one that
// was replaced meanwhile: all that is known of it is counted.
func TestATruncatedLogIsNotLostAgainAtTheNextStart(t *testing.T) {
	for _, unread := range []int{0, 100} {
		w := newWorld(t, "*.log")
		gate := &meter{world: w, perSecond: 1 << 20}
		w.gate = gate
		w.append("a.log", lines("a", 10))
		w.start()
		w.turn(2 * statusInterval)
		gate.perSecond, gate.left = 0, 0
		w.append("a.log", lines("more", unread))
		w.turn(2 * statusInterval)
		w.truncate("a.log")
		gate.perSecond = 1 << 20
		w.turn(2 * statusInterval)
		before := w.tailer.Status().Losses
		w.save()
		w.stop()
		w.start()
		w.turn(2 * statusInterval)
		if after := w.tailer.Status().Losses; len(after) != len(before) || len(after) != min(unread, 1) {
			t.Errorf("%d lines unread: losses %v, after a restart %v", unread, before, after)
		}
		w.append("a.log", lines("new", 1))
		w.turn(2 * statusInterval)
		if s := w.tailer.Status(); s.UnreadBytes != 0 || s.Files != 1 {
			t.Errorf("%d bytes unread in %d files", s.UnreadBytes, s.Files)
		}
	}
}

// However many logs of a directory are behind, it is listed once for all of them: ten thousand logs
// with a listing each kept a process from stopping for half an hour.
func TestADirectoryIsListedOnceForAllLogsThatAreBehind(t *testing.T) {
	const logs = 200
	w := newWorld(t, "*access.log")
	w.gate, w.minMargin = &meter{world: w}, time.Hour // nothing is read
	for i := range logs {
		name := fmt.Sprintf("site%03d-access.log", i)
		w.generation(name+".2", 100*time.Second)
		w.generation(name+".1", 50*time.Second)
		w.append(name, lines(name, 100))
	}
	w.start()
	listed := 0
	w.tailer.margins.list = func(dir string) *generations { listed++; return listGenerations(dir) }
	w.turns(8)
	behind := w.tailer.Status().Behind
	for _, b := range behind {
		if b.MarginSeconds == nil {
			t.Errorf("%s: no margin is known", b.Path)
		}
	}
	if len(behind) == 0 || listed == 0 || listed > 8 {
		t.Errorf("%d listings, %d logs are behind", listed, len(behind))
	}
	w.tailer.stop()
}
