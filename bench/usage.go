package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
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

// cpu is what this process has used so far, in all threads, the kernel's part
// included.
func cpu() (time.Duration, error) {
	u, err := self()
	return cpuOf(u), err
}

func self() (*syscall.Rusage, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return &u, err
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

// inProcess measures work done by this process. The peak is that of the
// process's whole life.
func inProcess(work func() error) (Usage, error) {
	cpuBefore, err := cpu()
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

// InProcess is a Runner that calls work in this process: for a profile. Its peak
// is that of the whole process.
func InProcess(work func(ctx context.Context, args []string) ([]byte, error)) Runner {
	return func(ctx context.Context, args []string) (out []byte, u Usage, err error) {
		u, err = inProcess(func() error { out, err = work(ctx, args); return err })
		return out, u, err
	}
}

// Child is a Runner that starts this program again. The kernel counts the peak
// of a child from that of its parent on, so whoever starts it has to be small.
func Child(ctx context.Context, args []string) ([]byte, Usage, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, Usage{}, err
	}
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(ctx, path, args...)
	c.Args[0] = os.Args[0]
	// What is measured does not depend on what the user has set for daily work.
	c.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "SLUICE_") })
	c.Stdout, c.Stderr = &stdout, &stderr
	began := time.Now()
	if err := c.Run(); err != nil {
		return nil, Usage{}, fmt.Errorf("sluice %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	wall := time.Since(began)
	u, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, Usage{}, fmt.Errorf("this system does not say what a process used")
	}
	return stdout.Bytes(), Usage{wall, cpuOf(u), peakBytesOf(u)}, nil
}
