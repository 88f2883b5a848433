package replay

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
)

// recorder is the testing.TB of one run. It collects failures, because a failure of a smaller
// script is not one of the test. It is safe for concurrent use.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	reports  []string
	cleanups []func()
}

// record calls run with a TB, and returns why it failed; empty: it did not. A panic is a failure.
func record(t testing.TB, run func(testing.TB)) string {
	r := &recorder{TB: t}
	r.call(func() { run(r) })
	for len(r.cleanups) > 0 { // a cleanup may add another
		last := len(r.cleanups) - 1
		cleanup := r.cleanups[last]
		r.cleanups = r.cleanups[:last]
		r.call(cleanup)
	}
	if r.failed && len(r.reports) == 0 {
		return "the run failed and reported nothing"
	}
	return strings.Join(r.reports, "\n")
}

// call runs f in a goroutine, which FailNow ends.
func (r *recorder) call(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		f()
	}()
	<-done
}

func (r *recorder) report(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	r.reports = append(r.reports, strings.TrimSuffix(text, "\n"))
}

func (r *recorder) Error(args ...any)                 { r.report(fmt.Sprintln(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.report(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }
func (r *recorder) FailNow()                          { r.Fail(); runtime.Goexit() }

func (r *recorder) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// TempDir returns a directory that is removed after the run, of which there may be hundreds.
func (r *recorder) TempDir() string {
	dir, err := os.MkdirTemp("", "replay")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			r.Error(err)
		}
	})
	return dir
}
