package fleet

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChecksumOfARangeFromThoseOfItsEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 100_000)
	for i := range b {
		b[i] = byte(rng.Uint64())
	}
	for range 200 {
		to := rng.IntN(len(b) + 1)
		from := rng.IntN(to + 1)
		if got := between(Checksum(b[:from]), Checksum(b[:to]), int64(to-from)); got != Checksum(b[from:to]) {
			t.Fatalf("[%d,%d): %08x, not %08x", from, to, got, Checksum(b[from:to]))
		}
	}
}

// delivery is a delivered range with its bytes.
type delivery struct {
	run    uint32
	stream uint64
	start  int64
	data   []byte
}

func (d delivery) row(t *testing.T) Row {
	t.Helper()
	first, _, _ := bytes.Cut(d.data, []byte("\n"))
	id, _, ok := ParseLine(first)
	if !ok {
		t.Fatalf("%q", first)
	}
	return Row{d.run, d.stream, id, d.start, d.start + int64(len(d.data)), Checksum(d.data), uint32(bytes.Count(d.data, []byte("\n")))}
}

// written returns a ledger, and what a correct reader delivers: five batches for each file,
// alternating between files.
func written(t *testing.T) (*Ledger, []delivery) {
	t.Helper()
	k := newClock()
	f := start(t, k, Config{Files: 3, Busy: 3, LinesPerSecond: 600, Shape: Even, Rotation: NoRotation, Seed: 4})
	steps(t, f, k, 10, time.Second)
	var all []delivery
	for part := range 5 {
		for i, l := range f.files {
			text, err := os.ReadFile(l.path)
			if err != nil {
				t.Fatal(err)
			}
			marks := l.current.life.Marks
			cut := func(n int) int64 { return int64(l.current.life.before(len(marks) * n / 5).end) }
			all = append(all, delivery{stream: uint64(100 + i), start: cut(part), data: text[cut(part):cut(part+1)]})
		}
	}
	return f.Ledger(), all
}

// lines splits the data of a delivery, for faults that change lines.
func lines(d delivery) [][]byte { return bytes.SplitAfter(slices.Clone(d.data), []byte("\n")) }

// Each of these faults is found and described.
func TestFaultsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(all []delivery) []delivery
		found  string // empty: no fault
		report Report
	}{
		"nothing": {func(all []delivery) []delivery { return all }, "", Report{}},
		"a byte is dropped": {func(all []delivery) []delivery {
			all[4].data = slices.Delete(slices.Clone(all[4].data), 200, 201)
			return all
		}, "not the bytes that were written there", Report{}},
		"a byte is changed": {func(all []delivery) []delivery {
			all[4].data = slices.Clone(all[4].data)
			all[4].data[300] ^= 1
			return all
		}, "not the bytes that were written there", Report{}},
		"two lines are swapped": {func(all []delivery) []delivery {
			l := lines(all[7])
			l[2], l[3] = l[3], l[2]
			all[7].data = bytes.Join(l, nil)
			return all
		}, "not the bytes that were written there", Report{}},
		"a batch is doubled": {func(all []delivery) []delivery {
			return slices.Insert(all, 8, all[5])
		}, "were delivered before", Report{Doubled: -1}},
		"a batch is delivered as another stream too": {func(all []delivery) []delivery {
			again := all[0]
			again.stream = 999
			return append(all, again)
		}, "were delivered as stream", Report{Doubled: -1}},
		"a batch is left out": {func(all []delivery) []delivery {
			return slices.Delete(all, 4, 5)
		}, "a gap", Report{Lost: -1}},
		"the end is left out": {func(all []delivery) []delivery {
			return all[:len(all)-1]
		}, "were not delivered", Report{Lost: -1}},
		"two files in one stream": {func(all []delivery) []delivery {
			for i := range all {
				all[i].stream = min(all[i].stream, 101)
			}
			return all
		}, "the stream held file", Report{}},
		"nothing came of a file": {func(all []delivery) []delivery {
			return slices.DeleteFunc(all, func(d delivery) bool { return d.stream == 102 })
		}, "were not delivered", Report{Lost: -1}},
		"a new run repeats what was delivered": {func(all []delivery) []delivery {
			repeat := slices.Clone(all[3:])
			for i := range repeat {
				repeat[i].run = 1
			}
			return append(all[:9], repeat...)
		}, "", Report{Again: -1}},
		"a new run repeats it twice": {func(all []delivery) []delivery {
			repeat := slices.Clone(all[3:])
			for i := range repeat {
				repeat[i].run = 1
			}
			repeat = slices.Insert(repeat, 1, repeat[0])
			return append(all[:9], repeat...)
		}, "were delivered before", Report{Doubled: -1, Again: -1}},
		"a new run repeats it with other bytes": {func(all []delivery) []delivery {
			again := all[3]
			again.run, again.data = 1, slices.Clone(again.data)
			again.data[290] ^= 1
			return append(all, again)
		}, "not the bytes that were written there", Report{Again: -1}},
		"a new run leaves something out": {func(all []delivery) []delivery {
			rest := slices.Clone(all[12:])
			for i := range rest {
				rest[i].run = 1
			}
			return append(all[:9], rest...)
		}, "a gap", Report{Lost: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			ledger, all := written(t)
			var rows []Row
			for _, d := range c.damage(all) {
				rows = append(rows, d.row(t))
			}
			r := Verify(ledger, rows)
			if r.OK() != (c.found == "") || !strings.Contains(strings.Join(r.Faults, "\n"), c.found) {
				t.Errorf("found %q, want %q", r.Faults, c.found)
			}
			if (r.Lost > 0) != (c.report.Lost != 0) || (r.Doubled > 0) != (c.report.Doubled != 0) || (r.Again > 0) != (c.report.Again != 0) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestCountingReaderFaultsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(l [][]byte) [][]byte
		want   Report
	}{
		"nothing":            {func(l [][]byte) [][]byte { return l }, Report{}},
		"a line is dropped":  {func(l [][]byte) [][]byte { return slices.Delete(l, 5, 6) }, Report{Lost: 1}},
		"a line is doubled":  {func(l [][]byte) [][]byte { return slices.Insert(l, 9, l[3]) }, Report{Doubled: 1}},
		"a line is torn":     {func(l [][]byte) [][]byte { return slices.Replace(l, 4, 5, l[4][:100], l[4][100:]) }, Report{Lost: 1, Torn: 2}},
		"a file is left out": {func([][]byte) [][]byte { return nil }, Report{Lost: -1}},
	} {
		ledger, all := written(t)
		seen := []*Seen{{File: 0}, {File: 1}, {File: 2}}
		byFile := make([][][]byte, 3)
		for _, d := range all {
			l := lines(d)
			byFile[d.stream-100] = append(byFile[d.stream-100], l[:len(l)-1]...)
		}
		byFile[1] = c.damage(byFile[1])
		for i, list := range byFile {
			for _, line := range list {
				seen[i].Add(bytes.TrimSuffix(line, []byte("\n")))
			}
		}
		r := VerifySeen(ledger, seen)
		if c.want.Lost < 0 {
			c.want.Lost = r.Lost
		}
		fine := c.want.Lost == 0 && c.want.Doubled == 0 && c.want.Torn == 0
		if r.OK() != fine || r.Lost != c.want.Lost || r.Doubled != c.want.Doubled || r.Torn != c.want.Torn {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAJournalSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	rows := []Row{{1, 2, LineID{3, 4, 5}, 6, 7, 8, 9}, {0, 1 << 63, LineID{1, 2, 3}, 1 << 40, 1 << 41, 1 << 31, 1}}
	for i, row := range rows {
		f, err := OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		b := row.AppendTo(nil)
		if i == 0 {
			b = row.AppendTo(b)[:len(b)+11] // killed while writing the second row
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadJournal(path)
	if err != nil || !slices.Equal(got, rows) {
		t.Errorf("%v %v", got, err)
	}
}

func TestReadingALineAllocatesNothing(t *testing.T) {
	_, all := written(t)
	line := lines(all[0])[1]
	seen := &Seen{File: 0}
	seen.Add(line)
	if n := testing.AllocsPerRun(100, func() { seen.Add(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
