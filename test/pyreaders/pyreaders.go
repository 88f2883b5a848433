package pyreaders

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Set is a group of readers with one virtual environment and one script.
type Set string

// The sets. Each is a directory beside this file.
const (
	Avro    Set = "avro"    // fastavro and polars
	Parquet Set = "parquet" // pyarrow, pandas, polars, duckdb and chdb
	Spark   Set = "spark"   // PySpark, which needs Java; 450 MB
)

//go:embed avro parquet spark
var sets embed.FS

// Run runs the set's script with args and returns its lines of output, which are JSON, re-encoded
// by Go. -short skips the test. Without Python it
// is skipped too, or fails if CI=true.
func Run(t testing.TB, s Set, args ...string) (lines []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs Python with the readers")
	}
	script, err := sets.ReadFile(string(s) + "/read.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Python(t, s), append([]string{"-c", string(script)}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", s, args, err, &stderr)
	}
	for line := range bytes.Lines(out) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber() // a float64 would hide different last digits
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s %q: %v in %s", s, args, err, line)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(text))
	}
	return lines
}

// Python returns the interpreter of the set's virtual environment. It is created once and kept in
// the cache of the tests.
func Python(t testing.TB, s Set) string {
	t.Helper()
	leaveOut := func(err error) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("left out: ", err)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		leaveOut(err)
	}
	requirements, err := sets.ReadFile(string(s) + "/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "sluice-tests", fmt.Sprintf("%s-readers-%08x", s, crc32.ChecksumIEEE(requirements)))
	interpreter, complete := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	unlock, err := lock(dir + ".lock") // tests of other packages may create it at the same time
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := os.Stat(complete); err == nil {
		return interpreter
	}
	if err := install(dir, interpreter, requirements); err != nil {
		leaveOut(err)
	}
	if err := os.WriteFile(complete, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return interpreter
}

// lock waits for an exclusive lock on a file, which is created if it is missing.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { f.Close() }, nil //nolint:errcheck // closing it unlocks it
}

// install creates a virtual environment with packages.
func install(dir, interpreter string, requirements []byte) error {
	if err := command("python3", "-m", "venv", "--clear", dir); err != nil {
		return err
	}
	list := filepath.Join(dir, "requirements.txt")
	return errors.Join(os.WriteFile(list, requirements, 0o600),
		command(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list))
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}
