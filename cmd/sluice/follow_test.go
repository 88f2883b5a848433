package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/bench/fleet"
	"sluice/monitor"
)

// TestFollowedLinesAreStoredOnceWhateverIsKilled follows logs that are rotated by rename, with
// writers that keep the old file open, and by copytruncate. The process is killed with SIGKILL at
// random times and restarted, and finally stopped; then archive and table must contain every line
// exactly once.
func TestFollowedLinesAreStoredOnceWhateverIsKilled(t *testing.T) {
	notShort(t, "it kills processes again and again")
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	servers := []*fleet.Fleet{
		server(t, filepath.Join(dir, "rename"), fleet.Config{Rotation: fleet.Rename, RotateEvery: 1500 * time.Millisecond, LateFor: time.Second, Seed: seed}),
		server(t, filepath.Join(dir, "copy"), fleet.Config{Rotation: fleet.CopyTruncate, RotateEvery: 1100 * time.Millisecond, Seed: seed}),
	}
	data := filepath.Join(dir, "data")
	args := []string{
		"--quiet", "--data", data, "run", "--host", "web01", "--cpu", "0", "--latency", "100ms", "--roll-size", "1", "--roll-interval", "2s", "--no-nice",
		filepath.Join(dir, "rename", "*.log*"), filepath.Join(dir, "copy", "*.log*"),
	}

	ctx, stopServers := context.WithCancel(t.Context())
	writing, ctx := errgroup.WithContext(ctx)
	for _, f := range servers {
		writing.Go(func() error { return serve(ctx, f) })
	}
	for range 8 {
		c := start(t, args...)
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(1500*time.Millisecond))), func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if c.ProcessState.Exited() {
			t.Fatalf("it ended before it was killed: %v\n%s", err, c.output(t))
		}
	}
	stopServers()
	if err := writing.Wait(); err != nil {
		t.Fatal(err)
	}
	untilAllIsRead(t, data, args)

	sameAsLogs(t, data, servers, []string{filepath.Join(dir, "rename"), filepath.Join(dir, "copy")})
}

// TestAStartThatIsInterruptedStoresWhatWasLeft checks that a start that is interrupted immediately
// stores the segments that a killed process left, and reports at most that it was interrupted.
func TestAStartThatIsInterruptedStoresWhatWasLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, data := filepath.Join(dir, "access.log"), filepath.Join(dir, "data")
	if err := os.WriteFile(log, []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, "--data", data, "run", "--host", "web01", "--no-nice", log)
	c.await(t, func() bool {
		s, err := monitor.Read(statusPath(data))
		return err == nil && s.Lines == 1
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || len(files(t, filepath.Join(data, "spool"))) == 0 {
		t.Fatalf("it left nothing: %v", err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"run", "--host", "web01", "--no-nice", log}, {"run", "--once", "--host", "web01", log}} {
		var stdout, stderr bytes.Buffer
		code := run(interrupted, append([]string{"--quiet", "--data", data}, args...), nil, &stdout, &stderr)
		if output := stderr.String(); code != 0 && !strings.Contains(output, "interrupted; run again to continue") || strings.Contains(output, "context canceled") {
			t.Errorf("%v: status %d: %s", args, code, output)
		}
		if left := files(t, filepath.Join(data, "spool")); len(left) > 0 {
			t.Errorf("%v: segments left in the spool: %v", args, left)
		}
	}
	sameLines(t, "archive", archived(t, filepath.Join(data, "archive")), []byte("a line\n"))
}

// server returns a simulated web server with logs in dir, which it creates.
func server(t *testing.T, dir string, c fleet.Config) *fleet.Fleet {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.Dir, c.Now, c.Files, c.Busy, c.LinesPerSecond, c.Shape, c.Staggered, c.Keep = dir, time.Now, 5, 4, 1500, fleet.Even, true, 1000
	f, err := fleet.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// serve writes and rotates logs until ctx is done.
func serve(ctx context.Context, f *fleet.Fleet) error {
	f.Begin()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := f.Step(); err != nil {
				return err
			}
		}
	}
}

// untilAllIsRead runs sluice until its status has no unread bytes, then stops it.
func untilAllIsRead(t *testing.T, data string, args []string) {
	t.Helper()
	c := start(t, args...)
	c.await(t, func() bool {
		s, err := monitor.Read(statusPath(data))
		return err == nil && s.PID == c.Process.Pid && s.Logs.Files > 0 && s.Logs.UnreadBytes == 0
	})
	if err := c.end(t); err != nil {
		t.Fatalf("%v\n%s", err, c.output(t))
	}
}

// follower is a sluice process that runs during the test.
type follower struct {
	*exec.Cmd
	stderr string // path of the file with its standard error
}

func start(t *testing.T, args ...string) *follower {
	t.Helper()
	return startWith(t, 0, args...)
}

// newFollower returns a sluice process that is not started yet.
func newFollower(t *testing.T, args ...string) *follower {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // kept open for Start
	c := &follower{command(t, args...), f.Name()}
	c.Stderr = f
	return c
}

// said returns the standard error of the process so far.
func (c *follower) output(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.stderr)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// await waits until come returns true, and fails the test after five minutes.
func (c *follower) await(t *testing.T, come func() bool) {
	t.Helper()
	const patience = 5 * time.Minute
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !come() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the condition was not met within %s; standard error:\n%s\n%s", patience, c.output(t), c.lastHealth(t))
		}
	}
}

// lastHealth returns the content of /health if the process has a status port: the usual cause of a
// condition that is not met.
func (c *follower) lastHealth(t *testing.T) string {
	t.Helper()
	i := slices.Index(c.Args, "--status-listen")
	if i < 0 {
		return ""
	}
	text, err := json.Marshal(askHealth(t, c.Args[i+1]))
	if err != nil {
		return err.Error()
	}
	return "/health: " + string(text)
}

// end stops the process with SIGTERM and returns the result of Wait.
func (c *follower) end(t *testing.T) error {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return c.Wait()
}

// sameLines fails unless got contains the lines of logs as often as logs does, in any order. what
// is the name of got in the message.
func sameLines(t *testing.T, what string, got, logs []byte) {
	t.Helper()
	count := map[string]int{}
	for line := range strings.Lines(string(logs)) {
		count[line]++
	}
	for line := range strings.Lines(string(got)) {
		count[line]--
	}
	var missing, surplus []string
	for line, n := range count {
		if n > 0 {
			missing = append(missing, line)
		} else if n < 0 {
			surplus = append(surplus, line)
		}
	}
	if len(missing)+len(surplus) > 0 {
		slices.Sort(missing)
		slices.Sort(surplus)
		t.Errorf("the %s lacks %d lines and has %d too often or that are no line of the logs:\n%.100q\n%.100q", what, len(missing), len(surplus), missing[:min(5, len(missing))], surplus[:min(5, len(surplus))])
	}
}
