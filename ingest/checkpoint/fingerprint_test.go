package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// A log that differs in any byte of the first 64 KiB, or in the last byte, is another log, also
// after a restart; a longer one is the same.
func TestAFingerprintTellsLogsApart(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		path := filepath.Join(t.TempDir(), "checkpoint")
		c, err := Open(vfs.OS{}, path, "c1")
		if err != nil {
			t.Fatal(err)
		}
		var log []byte
		for i := range 1 + random.IntN(3000) {
			log = fmt.Appendf(log, "line %d %d\n", i, random.Int())
		}
		s := c.Logs.Add(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: "/l/access.log"}}, Log{Path: "/l/access.log", Start: log})
		for at := 0; at < len(log); {
			end := min(len(log), at+1+random.IntN(1+len(log)/3))
			c.Fingerprints.Remember(s, log[at:end], int64(end))
			if at = end; random.IntN(3) == 0 { // some of it is read again after a crash
				if err := c.Save(); err != nil {
					t.Fatal(err)
				}
				if c, err = Open(vfs.OS{}, path, "c1"); err != nil {
					t.Fatal(err)
				}
				s = c.Stream(s.ID)
				at = max(0, at-random.IntN(1+len(log)/5))
			}
		}
		same := func(b []byte) bool {
			t.Helper()
			is, err := c.Fingerprints.Holds(s, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewBuffer(b)), nil })
			if err != nil {
				t.Fatal(err)
			}
			return is
		}
		if !same(log) || !same(append(bytes.Clone(log), "more\n"...)) {
			t.Fatalf("seed %d: the log is not known again: %v of %d bytes", seed, s.Marks, len(log))
		}
		if same(log[:len(log)-1]) {
			t.Errorf("seed %d: a copy without the last byte is identified as the log", seed)
		}
		for range 200 {
			at := random.IntN(min(len(log), prefixBytes))
			other := bytes.Clone(log)
			other[at] ^= 1
			if same(other) {
				t.Fatalf("seed %d: byte %d differs, and it is identified as the log: %v", seed, at, s.Marks)
			}
		}
		if len(s.Marks) > 50 {
			t.Errorf("%d marks", len(s.Marks))
		}
	}
}

// A log is not read from a later file with the same inode, although both begin alike.
func TestALogIsNotReadFromAFileThatGotItsInode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	text := []byte("the same line\n")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := logfile.Look(path)
	if err != nil {
		t.Fatal(err)
	}
	if l.BornNs == 0 {
		t.Skip("the file system has no birth times")
	}
	c, err := Open(vfs.OS{}, filepath.Join(t.TempDir(), "checkpoint"), "c1")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Logs.Add(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: path}}, Log{Path: path, ID: l.ID, BornNs: l.BornNs, Start: text})
	c.Fingerprints.Remember(s, text, int64(len(text)))
	b := make([]byte, 8)
	if n, err := c.Logs.ReadAt(s, b, 0); err != nil || n != len(b) {
		t.Fatalf("the log itself: %d, %v", n, err)
	}
	s.Born[0]-- // it was created at another time
	if _, err := c.Logs.ReadAt(s, b, 0); !errors.Is(err, errNoContent) {
		t.Errorf("%v, want ErrNoContent", err)
	}
}
