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

// Usage is what a piece of work took.
type Usage struct {
	Wall, CPU time.Duration
	// PeakBytes is the process's largest resident memory; 0 where not measured.
	PeakBytes int64
}

// CPU returns the CPU time that this process has used so far, in all threads, that of
// the kernel included.
func CPU() (time.Duration, error) {
	u, err := self()
	return cpuOf(u), err
}

func self() (*syscall.Rusage, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return &u, err
}

// UsageOf returns what the process used that ended so; ok is false if the operating
// system does not report it. Wall is not set.
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

// Work measures work done by this process. PeakBytes is the peak of the process
// since it started.
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

// PeakBytes returns the largest resident memory of a process since its program was
// started. getrusage would include its parent's from before that.
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
