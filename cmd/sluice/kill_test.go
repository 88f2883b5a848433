package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"sluice/bench/sample"
)

// TestEveryLineIsStoredOnceWhateverIsKilled kills a run with SIGKILL at random moments, ten times,
// and starts it again each time. Archive and table must then contain every line exactly once.
func TestEveryLineIsStoredOnceWhateverIsKilled(t *testing.T) {
	notShort(t, "it kills processes again and again")
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	var log bytes.Buffer
	lines := 300_000
	if raceDetector { // ten times slower; make plain runs the whole
		lines = 50_000
	}
	if err := sample.Write(&log, seed, lines); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "access.log")
	if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--quiet", "--data", filepath.Join(dir, "data"), "run", "--once", "--host", "web01", "--roll-size", "1", path}

	began := time.Now()
	whole := command(t, slices.Concat([]string{"--data", filepath.Join(dir, "uninterrupted")}, args[3:])...)
	if out, err := whole.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	length := time.Since(began) / 5

	for killed := 0; killed < 10; killed++ {
		c := command(t, args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(length))), func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil { // the run finished before it was killed
			t.Logf("finished after %d kills; starting again, with shorter times", killed)
			if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
			killed, length = -1, length*2/3
		}
	}
	if out, err := command(t, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := sorted(log.Bytes())
	if got := sorted(archived(t, filepath.Join(dir, "data", "archive"))); !bytes.Equal(got, want) {
		t.Errorf("the archive holds %d bytes of lines, the log %d", len(got), len(want))
	}
	var rows, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--data", filepath.Join(dir, "data"), "scan", "--output", "raw"}, nil, &rows, &stderr); code != 0 {
		t.Fatalf("scan: status %d: %s", code, &stderr)
	}
	if got := sorted(rows.Bytes()); !bytes.Equal(got, want) {
		t.Errorf("the table holds %d bytes of lines, the log %d", len(got), len(want))
	}
	if left := files(t, filepath.Join(dir, "data", "spool")); len(left) > 0 {
		t.Errorf("segments left in the spool: %v", left)
	}
}

// command returns a command that runs this test binary as sluice.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("sluice") // testscript.Main adds it to PATH
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), path, args...)
	// /health reports ERROR if the disk has less space than this.
	c.Env = append(os.Environ(), "SLUICE_SPOOL_MAX=1024")
	return c
}

func sorted(lines []byte) []byte {
	s := strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n")
	slices.Sort(s)
	return []byte(strings.Join(s, "\n"))
}

// archived returns the lines of every archive file below dir.
func archived(t *testing.T, dir string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, path := range files(t, dir) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(f)
		if err == nil {
			_, err = io.Copy(&all, r)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		f.Close()
	}
	return all.Bytes()
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
