package governor

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const childVariable = "SLUICE_TEST_LOWER"

// Lower changes all present and later threads. The test uses a process of its own, because the
// priority cannot be raised again.
func TestLowerReachesEveryThread(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestLowerReachesEveryThread$", "-test.v")
		child.Env = append(os.Environ(), childVariable+"=1")
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "threads are low") {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	stop := threads(4)
	if err := Lower(); err != nil {
		t.Fatal(err)
	}
	stopLater := threads(4)
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(tasks) < 9 {
		t.Fatalf("%d threads, want 8 and the main one: %v", len(tasks), err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(filepath.Base(task))
		if err != nil {
			t.Fatal(err)
		}
		// getpriority(2), the system call, returns 20 less the nice value.
		if nice, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err != nil || 20-nice != niceLowest {
			t.Errorf("thread %d: nice %d, %v", tid, 20-nice, err)
		}
		if prio, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, uintptr(tid), 0); errno != 0 || prio != lowestIOPriority {
			t.Errorf("thread %d: I/O priority %#x, %v", tid, prio, errno)
		}
	}
	stop()
	stopLater()
	t.Logf("%d threads are low", len(tasks))
}

// threads starts goroutines that each occupy a thread, until stop is called.
func threads(n int) (stop func()) {
	var started, ended sync.WaitGroup
	end := make(chan struct{})
	for range n {
		started.Add(1)
		ended.Go(func() {
			runtime.LockOSThread()
			started.Done()
			<-end
		})
	}
	started.Wait()
	return func() { close(end); ended.Wait() }
}
