package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"sluice/bench/measure"
)

// Runner runs sluice with arguments and returns its standard output.
type Runner func(ctx context.Context, args []string) ([]byte, measure.Usage, error)

// InProcess returns a Runner that calls work in this process, for a profile. Its peak is that of
// the whole process.
func InProcess(work func(ctx context.Context, args []string) ([]byte, error)) Runner {
	return func(ctx context.Context, args []string) (out []byte, u measure.Usage, err error) {
		u, err = measure.Work(func() error { out, err = work(ctx, args); return err })
		return out, u, err
	}
}

// Child is a Runner that starts this program again. The kernel's peak of a child includes the
// memory of its parent at the fork, so the parent must be small.
func Child(ctx context.Context, args []string) ([]byte, measure.Usage, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, measure.Usage{}, err
	}
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(ctx, path, args...)
	c.Args[0] = os.Args[0]
	// The user's settings must not affect the measurement.
	c.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "SLUICE_") })
	c.Stdout, c.Stderr = &stdout, &stderr
	began := time.Now()
	if err := c.Run(); err != nil {
		return nil, measure.Usage{}, fmt.Errorf("sluice %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	wall := time.Since(began)
	u, ok := measure.UsageOf(c.ProcessState)
	if !ok {
		return nil, measure.Usage{}, fmt.Errorf("this system does not say what a process used")
	}
	u.Wall = wall
	return stdout.Bytes(), u, nil
}
