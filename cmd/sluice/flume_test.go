package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/bench/peers"
	"sluice/bench/sample"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/monitor"
)

// flumeJars returns the directory of Flume 1.11, which is downloaded from Maven the first time. The
// test is skipped with -short, or if something is missing outside CI.
func flumeJars(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs Java")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	jars, err := peers.Jars(t.Context(), filepath.Join(cache, "sluice-tests"))
	if errors.Is(err, peers.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return jars
}

// flume is an unmodified Flume with a configuration from testdata/flume.
type flume struct {
	*peers.Flume
	jars, home, conf string
}

func startFlume(t *testing.T, conf, settings string, fill ...string) *flume {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/flume", conf))
	if err != nil {
		t.Fatal(err)
	}
	f := &flume{jars: flumeJars(t), home: t.TempDir()}
	f.conf = strings.NewReplacer(append([]string{"@HOME@", f.home}, fill...)...).Replace(string(text) + settings)
	f.start(t)
	t.Cleanup(func() {
		if err := f.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			output := f.Output()
			t.Logf("flume logged:\n%s", output[max(0, len(output)-4000):])
		}
	})
	return f
}

func (f *flume) start(t *testing.T) {
	t.Helper()
	var err error
	if f.Flume, err = peers.RunFlume(context.WithoutCancel(t.Context()), f.jars, f.home, f.conf); err != nil {
		t.Fatal(err)
	}
}

// delivered waits until so many events were acknowledged to the sink.
func (f *flume) delivered(t *testing.T, events int) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for {
		n, err := f.Taken(t.Context())
		if err == nil && n >= int64(events) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d of %d events were taken: %v", n, events, err)
		}
	}
}

// sampleLines returns n lines that are generated from a seed.
func sampleLines(t *testing.T, seed uint64, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sample.Write(&b, seed, n); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// grow appends lines to a log in steps of at most 20 KiB.
func grow(path string, lines []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(lines) > 0 {
		n := min(len(lines), 20<<10)
		if _, err := f.Write(lines[:n]); err != nil {
			return errors.Join(err, f.Close())
		}
		lines = lines[n:]
		<-tick.C
	}
	return f.Close()
}

// asFlumeReads returns a log without the carriage returns that TAILDIR removes.
func asFlumeReads(log []byte) []byte { return bytes.ReplaceAll(log, []byte("\r\n"), []byte("\n")) }

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// stored fails unless archive and table of a data directory contain these lines, each once.
func stored(t *testing.T, data string, lines []byte) {
	t.Helper()
	sameLines(t, "archive", archived(t, filepath.Join(data, "archive")), lines)
	var rows, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--data", data, "scan", "--output", "raw"}, nil, &rows, &stderr); code != 0 {
		t.Fatalf("scan: status %d: %s", code, &stderr)
	}
	sameLines(t, "table", rows.Bytes(), lines)
}

// TestWhatFlumeDeliversIsStoredOnceWhateverIsKilled runs an unmodified Flume that follows a
// growing, rotated log and delivers to a collector that is killed with SIGKILL at random times.
// Then Flume loses its position file and sends the log again. Archive and table must contain every
// line exactly once.
func TestWhatFlumeDeliversIsStoredOnceWhateverIsKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	log, data, address := filepath.Join(dir, "access.log"), filepath.Join(dir, "data"), freeAddress(t)
	args := collectorArgs(data, address)
	f := startFlume(t, "sink.conf", "", "@LOG@", log, "@PORT@", portOf(t, address))
	var all []byte
	lines := 0
	for rotation := range uint64(2) {
		fresh := sampleLines(t, seed+rotation, 30_000)
		all = append(all, fresh...)
		lines += bytes.Count(fresh, []byte("\n"))
		var writing errgroup.Group
		writing.Go(func() error { return grow(log, fresh) })
		killAgainAndAgain(t, rand.New(rand.NewPCG(seed, rotation)), args)
		if err := writing.Wait(); err != nil {
			t.Fatal(err)
		}
		c := start(t, args...)
		f.delivered(t, lines)
		if rotation == 1 {
			if err := errors.Join(f.Stop(), os.Remove(filepath.Join(f.home, "position.json"))); err != nil {
				t.Fatal(err)
			}
			f.start(t)
			f.delivered(t, bytes.Count(fresh, []byte("\n")))
		}
		if err := c.end(t); err != nil {
			t.Fatalf("%v\n%s", err, c.output(t))
		}
		if err := os.Rename(log, filepath.Join(dir, "rotated")); err != nil {
			t.Fatal(err)
		}
	}
	stored(t, data, asFlumeReads(all))
	again := "parquet:" + filepath.Join(dir, "again")
	for _, command := range [][]string{
		{"audit"}, {"archive", "verify"}, {"audit", "--repair"},
		{"run", "--from-archive", "dir:" + filepath.Join(data, "archive") + "/%Y%m%d/%{host}", "--table", again}, {"audit", "--table", again},
	} {
		var out, stderr bytes.Buffer
		if code := run(context.Background(), append([]string{"--data", data}, command...), nil, &out, &stderr); code != 0 {
			t.Errorf("%v: status %d: %s%s", command, code, &out, &stderr)
		}
	}
}

// fileRolled returns the lines that Flume's file_roll sink has written, by byteoffset. It fails if
// two events with the same offset differ.
func (f *flume) fileRolled(t *testing.T, headers ...string) map[int64]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(f.home, "out-*"))
	if err != nil {
		t.Fatal(err)
	}
	events := map[int64]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for event := range strings.Lines(string(text)) {
			if !strings.HasSuffix(event, "\n") {
				break // the event is incomplete
			}
			head, line, ok := strings.Cut(strings.TrimPrefix(event, "{"), "} ")
			pairs := strings.Split(head, ", ")
			for _, want := range headers {
				if !ok || !slices.Contains(pairs, want) {
					t.Fatalf("an event without %s: %q", want, event)
				}
			}
			i := slices.IndexFunc(pairs, func(p string) bool { return strings.HasPrefix(p, "byteoffset=") })
			j := slices.IndexFunc(pairs, func(p string) bool { return strings.HasPrefix(p, "timestamp=") })
			if i < 0 || j < 0 {
				t.Fatalf("an event without a place or a time: %q", event)
			}
			at, err := strconv.ParseInt(pairs[i][len("byteoffset="):], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if was, again := events[at]; again && was != line {
				t.Fatalf("two lines at byte %d: %q, %q", at, was, line)
			}
			events[at] = line
		}
	}
	return events
}

// holds waits until Flume has exactly the lines of log, each with its offset.
func (f *flume) holds(t *testing.T, log []byte, headers ...string) {
	t.Helper()
	want := map[int64]string{}
	at := int64(0)
	for line := range strings.Lines(string(log)) {
		want[at] = line
		at += int64(len(line))
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for {
		got := f.fileRolled(t, headers...)
		if len(got) >= len(want) {
			if !maps.Equal(got, want) {
				t.Fatalf("Flume has %d lines that are not those %d of the log", len(got), len(want))
			}
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("Flume has %d of %d lines", len(got), len(want))
		}
	}
}

// TestAnAgentDeliversToFlumeWhateverIsKilled checks that an agent that is killed with SIGKILL at
// random times delivers every line with its offset to an unmodified Flume. After an orderly stop,
// an agent must not send acknowledged events again.
func TestAnAgentDeliversToFlumeWhateverIsKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	log, data, address := filepath.Join(dir, "access.log"), filepath.Join(dir, "data"), freeAddress(t)
	f := startFlume(t, "source.conf", "", "@PORT@", portOf(t, address))
	args := append(agentArgs(data, "web01", "flume://"+address+","+freeAddress(t), log), "--label", "site=shop", "--failover-after", "500ms")
	all := sampleLines(t, seed, 30_000)
	var writing errgroup.Group
	writing.Go(func() error { return grow(log, all) })
	killAgainAndAgain(t, rand.New(rand.NewPCG(seed, 1)), args)
	if err := writing.Wait(); err != nil {
		t.Fatal(err)
	}
	untilAllIsSent(t, data, args)
	f.holds(t, all, "host=web01", "file="+log, "site=shop")
	if stored := checkpointed(t, data); stored != int64(len(all)) {
		t.Errorf("%d of %d bytes are stored", stored, len(all))
	}
	untilAllIsSent(t, data, args)
	if s, err := monitor.Read(statusPath(data)); err != nil || s.Lines != 0 {
		t.Errorf("%d lines were read again: %v", s.Lines, err)
	}
}

// checkpointed returns the number of stored bytes in an agent's checkpoint.
func checkpointed(t *testing.T, data string) (stored int64) {
	t.Helper()
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(data, "checkpoint"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range file.Streams() {
		stored += s.Stored
	}
	return stored
}
