package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is the resources that some work used.
type Usage struct {
	Wall, CPU time.Duration
	// PeakBytes is the peak resident memory of the process; 0: not measured.
	PeakBytes int64
}

// CPU returns the CPU time of this process so far: all threads, user and system.
func CPU() (time.Duration, error) {
	u, err := self()
	return cpuOf(u), err
}

func self() (*syscall.Rusage, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return &u, err
}

// UsageOf returns the usage of an ended process, without Wall; ok is false if the operating system
// does not report it.
func UsageOf(p *os.ProcessState) (u Usage, ok bool) {
	used, ok := p.SysUsage().(*syscall.Rusage)
	if ok {
		u = Usage{CPU: cpuOf(used), PeakBytes: peakBytesOf(used)}
	}
	return u, ok
}

func cpuOf(u *syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func peakBytesOf(u *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return u.Maxrss
	}
	return u.Maxrss << 10
}

// Work measures work in this process. PeakBytes is the peak since the start of the process.
func Work(work func() error) (Usage, error) {
	cpuBefore, err := CPU()
	if err != nil {
		return Usage{}, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return Usage{}, err
	}
	wall := time.Since(began)
	after, err := self()
	return Usage{wall, cpuOf(after) - cpuBefore, peakBytesOf(after)}, err
}

// PeakBytes returns the peak resident memory of a process since its exec. The value of getrusage
// would include its parent's memory at the fork.
func PeakBytes(pid int) (int64, error) {
	if runtime.GOOS != "linux" {
		u, err := self()
		return peakBytesOf(u), err
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	value, _, ok := strings.Cut(strings.TrimSpace(rest), " kB")
	kib, err := strconv.ParseInt(value, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("process %d: no VmHWM in its status", pid)
	}
	return kib << 10, nil
}
