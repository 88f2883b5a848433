package tail

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The budget leaves descriptors to the rest of the process.
func TestABudgetLeavesDescriptorsToTheRestOfTheProcess(t *testing.T) {
	for limit, want := range map[uint64]int{8: 4, 48: 8, 64: 24, 256: 192, 1024: 768, 20_000: 19_488, unix.RLIM_INFINITY: 1<<30 - 512} {
		if got := openBudget(limit); got != want {
			t.Errorf("a limit of %d allows %d open logs, want %d", limit, got, want)
		}
	}
}

// Every line of 40 logs is read with 5 descriptors, at the start and as they grow in turn, and
// never more are open.
func TestMoreLogsThanDescriptors(t *testing.T) {
	w := newWorld(t)
	w.maxOpen = 5
	want := map[string]string{}
	grow := func(i, n int) {
		name := fmt.Sprintf("%02d.log", i)
		text := lines(fmt.Sprintf("%s-%d", name, len(want[name])), n)
		w.append(name, text)
		want[name] += text
	}
	for i := range 40 {
		grow(i, 2)
	}
	grow(7, 60_000) // more than a buffer, so it waits with unread lines
	check := func() {
		t.Helper()
		var texts []string
		for _, text := range want {
			texts = append(texts, text)
		}
		w.wantSet(texts...)
		if n := w.openFiles(); n > 5 {
			t.Errorf("%d logs are open, want at most 5", n)
		}
	}
	w.start()
	check()
	for round := range 5 {
		for i := range 40 {
			grow((i*7+round)%40, 1+round)
		}
		w.turns(2)
		check()
	}
	if s := w.tailer.Status(); len(s.Failing) > 0 || w.tailer.counters.LostBytes.Load() > 0 {
		t.Errorf("%+v\n%s", s, w.log.String())
	}
	w.tailer.stop()
}

// A removed log is read before its descriptor is needed for another log, because its lines are only
// in the open file.
func TestARemovedLogIsReadBeforeADescriptorIsTaken(t *testing.T) {
	w := newWorld(t)
	w.maxOpen = 4
	for i := range 4 {
		w.append(fmt.Sprintf("old%d.log", i), lines(fmt.Sprint("old", i), 1))
	}
	w.start()
	var want []string
	gate := &meter{world: w}
	w.tailer.gate = gate // nothing is read
	for i := range 4 {
		name := fmt.Sprintf("old%d.log", i)
		f := w.open(name)
		defer f.Close()
		w.write(f, lines(fmt.Sprint("late", i), 2))
		want = append(want, lines(fmt.Sprint("old", i), 1)+lines(fmt.Sprint("late", i), 2))
		w.turns(7) // sizes are recorded
		w.remove(name)
	}
	for i := range 8 {
		name := fmt.Sprintf("new%d.log", i)
		w.append(name, lines(name, 3))
		want = append(want, lines(name, 3))
		w.turn(time.Second)
	}
	gate.perSecond = 1 << 20
	w.turns(10)
	w.wantSet(want...)
	if n := w.tailer.counters.LostBytes.Load(); n != 0 {
		t.Errorf("%d bytes are counted as lost\n%s", n, w.log.String())
	}
	w.tailer.stop()
}

// A process without a free descriptor continues with fewer open logs, and opens more again when
// descriptors are free.
func TestAProcessWithoutFreeDescriptorsContinues(t *testing.T) {
	w := newWorld(t)
	w.maxOpen = 100
	w.start()
	for i := range 20 {
		name := fmt.Sprintf("%d.log", i)
		w.append(name, lines(name, 1))
	}
	w.turn(time.Second)
	if !w.tailer.descriptors.pressed(&os.PathError{Op: "open", Path: "x", Err: unix.EMFILE}) {
		t.Error("no log was closed")
	}
	if n := w.openFiles(); n != 12 {
		t.Errorf("%d logs are open, want 12", n)
	}
	if w.tailer.descriptors.pressed(&os.PathError{Op: "open", Path: "x", Err: unix.EACCES}) {
		t.Error("a permission error is treated as a lack of descriptors")
	}
	for i := range 20 {
		w.append(fmt.Sprintf("%d.log", i), lines("more", 1))
	}
	w.turns(2)
	var want []string
	for i := range 20 {
		want = append(want, lines(fmt.Sprintf("%d.log", i), 1)+lines("more", 1))
	}
	w.wantSet(want...)
	w.turns(600)
	if w.tailer.descriptors.budget != 100 || w.tailer.descriptors.noDescriptors {
		t.Errorf("the budget stays at %d", w.tailer.descriptors.budget)
	}
	if n := strings.Count(w.log.String(), "no file descriptor left"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	w.tailer.stop()
}

// A removed log is closed when no process has it open for writing, and not before.
func TestARemovedLogIsClosedWhenNoProcessWritesIt(t *testing.T) {
	w := newWorld(t)
	var want []string
	w.start()
	for i := range 30 {
		name := fmt.Sprintf("%d.log", i)
		w.append(name, lines(name, 1))
		want = append(want, lines(name, 1))
	}
	child := w.open("0.log")
	w.turn(time.Second)
	for i := range 30 {
		w.remove(fmt.Sprintf("%d.log", i))
	}
	w.turns(8)
	if n := w.openFiles(); n != 2 { // the child's and the test's
		t.Errorf("%d logs are open, want the child's only", n)
	}
	w.turns(300)
	w.write(child, lines("late", 2))
	w.turns(2)
	want[0] += lines("late", 2)
	w.write(child, "half a line")
	w.must(child.Close())
	w.turns(10)
	want[0] += "half a line"
	w.wantSet(want...)
	if n := w.openFiles(); n != 0 {
		t.Errorf("%d logs are still open", n)
	}
	w.tailer.stop()
}

// If the kernel cannot report writers, because leases need the ownership of the file, few removed
// logs stay open.
func TestRemovedLogsAreLimitedIfWritersAreUnknown(t *testing.T) {
	w := newWorld(t)
	w.writers = func(int) writers { return writersUnknown }
	w.start()
	for i := range maxOrphans + 30 {
		w.append(fmt.Sprintf("%d.log", i), lines(fmt.Sprint(i), 1))
	}
	w.turn(time.Second)
	for i := range maxOrphans + 30 {
		w.remove(fmt.Sprintf("%d.log", i))
	}
	w.turns(10)
	if n := w.openFiles(); n != maxOrphans {
		t.Errorf("%d removed logs are open, want %d", n, maxOrphans)
	}
	w.turns(600)
	if n := w.openFiles(); n != 0 {
		t.Errorf("%d removed logs are open after ten minutes", n)
	}
	w.tailer.stop()
}

// A log that another host writes is read within seconds on a file system whose writes inotify does
// not report, and within five minutes on any.
func TestALogWrittenByAnotherHostIsRead(t *testing.T) {
	for _, remote := range []bool{true, false} {
		t.Run(fmt.Sprintf("remote %v", remote), func(t *testing.T) {
			w := newWorld(t)
			w.remote = remote
			w.append("a.log", lines("a", 3))
			w.append("b.log", "")
			w.start()
			w.turns(80)
			if n := w.openFiles(); n != 0 {
				t.Fatalf("%d logs are open, want cold ones", n)
			}
			// Like a write by another host: without an event.
			for wd := range w.tailer.set.coldBy {
				w.tailer.watch.unwatchCold(wd)
			}
			w.must(w.tailer.watch.drainAll())
			w.append("a.log", lines("more", 10))
			w.append("b.log", lines("b", 2))
			if remote {
				w.turns(12)
			} else {
				w.turns(311)
			}
			w.want(lines("a", 3)+lines("more", 10), lines("b", 2))
			if s := w.tailer.Status(); remote && s.WrittenBytes != int64(len(lines("a", 3)+lines("more", 10)+lines("b", 2))) {
				t.Errorf("%d bytes written", s.WrittenBytes)
			}
			w.tailer.stop()
		})
	}
}

// drainAll discards the events of cold files.
func (w *watcher) drainAll() error {
	_, err := w.drain(w.cold, func(event) {})
	return err
}
