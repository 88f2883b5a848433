package tail

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// compressedAway creates 20 logs that were read in part, and whose copies were compressed while no
// process ran.
func compressedAway(w *world) (want []string) {
	for i := range 20 {
		w.append(fmt.Sprintf("%02d.log", i), lines(fmt.Sprint("read", i), 2))
	}
	w.start()
	w.stop()
	for i := range 20 {
		name := fmt.Sprintf("%02d.log", i)
		text := lines(fmt.Sprint("read", i), 2) + lines(fmt.Sprint("unread", i), 3)
		w.gzip(text, name+".1.gz")
		w.remove(name)
		want = append(want, text)
	}
	return want
}

func wantAllRead(w *world, want []string) {
	w.Helper()
	w.turns(400)
	w.wantSet(want...)
	if n := w.tailer.counters.LostFiles.Load(); n > 0 || len(w.checkpoint.Losses.All()) > 0 {
		w.Errorf("%d losses are reported\n%s", n, w.log.String())
	}
	w.tailer.stop()
}

// Compressed copies need one descriptor, however many are read.
func TestCompressedCopiesTakeOneDescriptor(t *testing.T) {
	w := newWorld(t)
	want := compressedAway(w)
	gate := &meter{world: w} // nothing is read
	w.gate = gate
	w.start()
	if n := len(w.tailer.rests.rests); n != 20 {
		t.Errorf("%d copies are to be read, want 20", n)
	}
	if n := w.openFiles(); n > 1 {
		t.Errorf("%d files are open", n)
	}
	gate.perSecond = bufferBytes
	wantAllRead(w, want)
}

// A log was truncated with unread lines while no descriptor is free for some time. That is not a
// loss: its compressed copy is searched for again.
func TestALackOfDescriptorsIsNoLoss(t *testing.T) {
	w := newWorld(t)
	gate := &meter{world: w, perSecond: bufferBytes}
	w.gate = gate
	w.append("access.log", lines("read", 2))
	w.start()
	gate.perSecond = 0
	w.append("access.log", lines("unread", 3))
	w.turns(7)
	w.gzip(lines("read", 2)+lines("unread", 3), "access.log.1.gz")
	w.truncate("access.log")
	w.append("access.log", lines("next", 1))
	giveBack := takeDescriptors(t)
	gate.perSecond, w.hold = bufferBytes, true
	w.turns(20)
	if n := w.tailer.counters.LostFiles.Load(); n > 0 {
		t.Errorf("%d losses without a descriptor", n)
	}
	giveBack()
	w.hold = false
	wantAllRead(w, []string{lines("read", 2) + lines("unread", 3), lines("next", 1)})
}

// takeDescriptors leaves the process no free descriptor.
func takeDescriptors(t *testing.T) (giveBack func()) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(512, was.Max), Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	var taken []int
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	})
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	return func() {
		for _, fd := range taken {
			unix.Close(fd)
		}
	}
}

// If a copy is removed while it waits, another one is searched for; if there is none it is a loss.
func TestACopyRemovedWhileItWaitsIsSearchedAgain(t *testing.T) {
	w := newWorld(t)
	want := compressedAway(w)
	gate := &meter{world: w}
	w.gate = gate
	w.start()
	w.must(os.Rename(w.path("05.log.1.gz"), w.path("05.log.2.gz")))
	last := fmt.Sprintf("%02d.log.1.gz", 19)
	w.remove(last)
	gate.perSecond = bufferBytes
	for range 400 {
		w.turn(time.Second)
	}
	w.wantSet(append(want[:19:19], lines("read19", 2))...)
	losses := w.checkpoint.Losses.All()
	if len(losses) != 1 || losses[0].Path != w.path("19.log") || !losses[0].Unknown {
		t.Errorf("%+v\n%s", losses, w.log.String())
	}
	w.tailer.stop()
}
