package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// TestAFingerprintTellsLogsApart: one that differs in any byte of the first 64 KiB, or in
// the last, is another log, after a restart too; and a longer one is the same.
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
		s := c.Add(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: "/l/access.log"}}, Log{Path: "/l/access.log", Start: log})
		for at := 0; at < len(log); {
			end := min(len(log), at+1+random.IntN(1+len(log)/3))
			c.Remember(s, log[at:end], int64(end))
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
			is, err := c.Holds(s, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewBuffer(b)), nil })
			if err != nil {
				t.Fatal(err)
			}
			return is
		}
		if !same(log) || !same(append(bytes.Clone(log), "more\n"...)) {
			t.Fatalf("seed %d: the log is not known again: %v of %d bytes", seed, s.Marks, len(log))
		}
		if same(log[:len(log)-1]) {
			t.Errorf("seed %d: a copy without the last byte is taken for the log", seed)
		}
		for range 200 {
			at := random.IntN(min(len(log), prefixBytes))
			other := bytes.Clone(log)
			other[at] ^= 1
			if same(other) {
				t.Fatalf("seed %d: byte %d differs, and it is taken for the log: %v", seed, at, s.Marks)
			}
		}
		if len(s.Marks) > 50 {
			t.Errorf("%d marks", len(s.Marks))
		}
	}
}
