package sample

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"sluice/parse"
	"sluice/schema"
)

// goldenSHA256 protects the figures in docs/benchmarks.md, which are for these bytes: after a
// change they must be measured again.
const goldenSHA256 = "d6dc619011600151d7f2b3449ef3d34459c9810dbb538bf7f67d766f86680cce"

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	h := sha256.New()
	if err := Write(h, 1, 20_000); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != goldenSHA256 {
		t.Errorf("seed 1 gives %s", got)
	}
	var other bytes.Buffer
	if err := Write(&other, 2, 100); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(other.Bytes(), all(t, New(1, 100))) {
		t.Error("two seeds give the same log")
	}
}

func all(t testing.TB, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadingInPartsGivesTheSameBytes(t *testing.T) {
	var want bytes.Buffer
	n, err := New(3, 3000).WriteTo(&want)
	if err != nil || n != int64(want.Len()) {
		t.Fatalf("WriteTo: %d of %d bytes, %v", n, want.Len(), err)
	}
	for name, r := range map[string]io.Reader{
		"whole": New(3, 3000), "halves": iotest.HalfReader(New(3, 3000)), "bytes": iotest.OneByteReader(New(3, 3000)),
	} {
		if !bytes.Equal(all(t, r), want.Bytes()) {
			t.Errorf("read in %s it is another log", name)
		}
	}
	if got := bytes.Count(want.Bytes(), []byte("\n")); got != 3000 {
		t.Errorf("%d lines, not 3000", got)
	}
}

func TestNoLinesAreAnEmptyLog(t *testing.T) {
	if b := all(t, New(1, 0)); len(b) != 0 {
		t.Errorf("%q", b)
	}
}

// shape is statistics of a log.
type shape struct {
	lines, bytes, odd, undated, late, longest int
	days                                      map[int]int
	agents                                    map[string]int
}

func shapeOf(t *testing.T, log []byte) shape {
	t.Helper()
	f, err := parse.Lookup("combined", nil)
	if err != nil {
		t.Fatal(err)
	}
	agent, protocol := schema.Index(f.Fields(), "agent"), schema.Index(f.Fields(), "protocol")
	s := shape{bytes: len(log), days: map[int]int{}, agents: map[string]int{}}
	var rec schema.Record
	latest := int64(0)
	for line := range bytes.Lines(log) {
		s.lines++
		s.longest = max(s.longest, len(line))
		f.Parse(line[:len(line)-1], &rec)
		if rec.Err.Set() || rec.Null(protocol) {
			s.odd++
		}
		if !rec.Dated {
			s.undated++
			continue
		}
		if rec.Time < latest {
			s.late++
		}
		latest = max(latest, rec.Time)
		s.days[time.Unix(0, rec.Time).In(defaultStart.Location()).Day()]++
		s.agents[string(rec.Bytes(agent))]++
	}
	return s
}

func TestTheLogLooksLikeARealOne(t *testing.T) {
	const lines = 100_000
	s := shapeOf(t, all(t, New(1, lines)))
	within := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %.4g, not %g to %g", what, got, low, high)
		}
	}
	within("bytes a line", float64(s.bytes)/lines, 221, 231)
	within("lines behind later ones, per mille", float64(s.late)/lines*1000, 1, 2)
	within("odd lines, per mille", float64(s.odd)/lines*1000, 1, 5)
	within("lines without a time", float64(s.undated), 1, 100)
	within("user agents", float64(len(s.agents)), 180, 220)
	within("the longest line", float64(s.longest), 98_000, 99_000)
	within("days", float64(len(s.days)), 2, 2)
}

func BenchmarkLog(b *testing.B) {
	l := New(1, 1<<40)
	n := 0
	for b.Loop() {
		l.fill()
		n += len(l.block)
	}
	b.SetBytes(int64(n / b.N))
}
