package fleet

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/parse"
	"sluice/schema"
)

// clock is a clock that tests set.
type clock struct{ now time.Time }

func newClock() *clock {
	return &clock{time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)}
}

func start(t *testing.T, k *clock, c Config) *Fleet {
	t.Helper()
	c.Dir, c.Now = t.TempDir(), func() time.Time { return k.now }
	f, err := New(c)
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

// steps advances the clock by d in n steps.
func steps(t *testing.T, f *Fleet, k *clock, n int, d time.Duration) {
	t.Helper()
	for range n {
		k.now = k.now.Add(d / time.Duration(n))
		if err := f.Step(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLinesAreCombinedAndHaveTheirID(t *testing.T) {
	format, err := parse.Lookup("combined", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	k := newClock()
	f := start(t, k, Config{Files: 3, Busy: 3, LinesPerSecond: 1000, Shape: Even, Rotation: NoRotation, Seed: 1})
	steps(t, f, k, 10, 900*time.Millisecond)
	total := 0
	for i, l := range f.files {
		text, err := os.ReadFile(l.path)
		if err != nil {
			t.Fatal(err)
		}
		seq := 0
		for line := range bytes.Lines(text) {
			id, nanos, ok := ParseLine(line)
			if !ok || id != (LineID{File: i, Seq: seq}) {
				t.Fatalf("%s: %q is %v, %v", l.path, line, id, ok)
			}
			var r schema.Record
			format.Parse(bytes.TrimSuffix(line, []byte("\n")), &r)
			if r.Err.Set() || r.Time != nanos/1e9*1e9 || nanos > k.now.UnixNano() {
				t.Fatalf("%q: time %d, its own %d, error %q", line, r.Time, nanos, r.Err)
			}
			seq++
		}
		total += len(text)
	}
	lines, n, _ := f.Written()
	if lines != 900+3 || int64(total) != n {
		t.Errorf("%d lines, %d bytes of %d", lines, total, n)
	}
	if mean := n / lines; mean < 250 || mean > 285 {
		t.Errorf("%d bytes a line, not about 266", mean)
	}
}

func TestParseLineRejectsPartialLines(t *testing.T) {
	m := newMaker(1)
	k := newClock()
	f := start(t, k, Config{Files: 1, Shape: Idle, Rotation: NoRotation})
	line := m.appendLine(nil, LineID{12345, 678, 90123456}, k.now, f.rng)
	if id, nanos, ok := ParseLine(line); !ok || id != (LineID{12345, 678, 90123456}) || nanos != k.now.UnixNano() {
		t.Fatalf("%v %d %v", id, nanos, ok)
	}
	quotes := 0
	for end := range line[:len(line)-1] {
		if _, _, ok := ParseLine(line[:end]); ok {
			quotes++
		}
		if _, _, ok := ParseLine(line[end+1:]); ok {
			t.Errorf("%q was read", line[end+1:])
		}
	}
	if quotes > 4 { // truncated after one of the last quotes
		t.Errorf("%d beginnings were read", quotes)
	}
}

func TestShapes(t *testing.T) {
	for shape, want := range map[Shape]struct{ hotLow, hotHigh, lines int64 }{
		Even: {150, 250, 1000 + 40}, Hot: {850, 950, 1000 + 40}, Idle: {0, 0, 40},
	} {
		k := newClock()
		f := start(t, k, Config{Files: 40, Busy: 40, LinesPerSecond: 1000, Shape: shape, Rotation: NoRotation, Seed: 2})
		steps(t, f, k, 8, time.Second)
		hot := int64(0)
		for _, l := range f.files[:hotFiles] {
			hot += int64(l.current.life.Lines - 1)
		}
		if lines, _, _ := f.Written(); lines != want.lines || hot < want.hotLow || hot > want.hotHigh {
			t.Errorf("%s: %d lines, %d of them in hot files", shape, lines, hot)
		}
	}
}

func TestOnlyBusyFilesGrow(t *testing.T) {
	k := newClock()
	f := start(t, k, Config{Files: 20, Busy: 2, LinesPerSecond: 100, LinesPerWrite: 8, Shape: Even, Rotation: NoRotation})
	steps(t, f, k, 3, time.Second)
	for i, l := range f.files {
		if grew := l.current.life.Lines > 1; grew != (i < 2) {
			t.Errorf("file %d: %d lines", i, l.current.life.Lines)
		}
	}
}

// The ledger agrees with the files on disk, whatever their current names.
func TestLedgerIsWhatIsOnDisk(t *testing.T) {
	for _, c := range []Config{
		{Rotation: NoRotation},
		{Rotation: Rename},
		{Rotation: Rename, LateFor: 200 * time.Millisecond},
		{Rotation: Rename, LateFor: 200 * time.Millisecond, Staggered: true},
		{Rotation: CopyTruncate},
		{Rotation: CopyTruncate, Staggered: true, LinesPerWrite: 5},
	} {
		c.Files, c.Busy, c.LinesPerSecond, c.Shape, c.Keep, c.RotateEvery, c.Seed = 10, 10, 2000, Even, 9, 300*time.Millisecond, 3
		k := newClock()
		f := start(t, k, c)
		steps(t, f, k, 50, time.Second)
		path := filepath.Join(t.TempDir(), "ledger")
		if err := f.Ledger().Write(path); err != nil {
			t.Fatal(err)
		}
		ledger, err := ReadLedger(path)
		if err != nil {
			t.Fatal(err)
		}
		found := onDisk(t, f.c.Dir)
		rotations := 0
		for _, life := range ledger.Lives {
			text := found[lifeKey{life.File, life.Life}]
			delete(found, lifeKey{life.File, life.Life})
			if int64(len(text)) != life.Bytes || Checksum([]byte(text)) != life.CRC || strings.Count(text, "\n") != life.Lines {
				t.Errorf("%+v: file %d life %d has %d bytes on disk, not %d", c, life.File, life.Life, len(text), life.Bytes)
			}
			if life.Life > 0 {
				rotations++
			}
			if _, _, rotated := f.Written(); c.Rotation == CopyTruncate && rotated > 0 && life.Life == 0 && life.TruncatedBytes != life.Bytes {
				t.Errorf("file %d: truncated at %d of %d", life.File, life.TruncatedBytes, life.Bytes)
			}
		}
		if len(found) > 0 {
			t.Errorf("%+v: lives on disk that the ledger does not have: %d", c, len(found))
		}
		if _, _, rotated := f.Written(); rotated != rotations || (c.Rotation != NoRotation) != (rotated >= 20) {
			t.Errorf("%+v: %d rotations, %d in the ledger", c, rotated, rotations)
		}
	}
}

// onDisk returns the content of the files by the life in their first line.
func onDisk(t *testing.T, dir string) map[lifeKey]string {
	t.Helper()
	found := map[lifeKey]string{}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		if id, _, ok := ParseLine([]byte(first)); ok {
			found[lifeKey{id.File, id.Life}] = string(text)
		}
	}
	return found
}

func TestOldGenerationsAreDeleted(t *testing.T) {
	k := newClock()
	f := start(t, k, Config{Files: 1, Busy: 1, LinesPerSecond: 100, Shape: Even, Rotation: Rename, RotateEvery: 100 * time.Millisecond, Keep: 2})
	steps(t, f, k, 20, time.Second)
	names, err := os.ReadDir(f.c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, rotated := f.Written(); len(names) != 3 || rotated < 8 {
		t.Errorf("%d files after %d rotations", len(names), rotated)
	}
}

func TestLateWritersWriteToTheRenamedFile(t *testing.T) {
	k := newClock()
	f := start(t, k, Config{Files: 1, Busy: 1, LinesPerSecond: 1000, Shape: Even, Rotation: Rename, RotateEvery: time.Second, LateFor: 500 * time.Millisecond, Keep: 2})
	steps(t, f, k, 10, time.Second)
	atRotation := f.ledger.Lives[0].Lines
	steps(t, f, k, 5, 400*time.Millisecond)
	during := f.ledger.Lives[0].Lines
	steps(t, f, k, 5, 200*time.Millisecond)
	after := f.ledger.Lives[0].Lines
	steps(t, f, k, 5, 200*time.Millisecond)
	if late := during - atRotation; late < 60 || late > 140 {
		t.Errorf("%d of 400 lines were late, not about 100", late)
	}
	if f.ledger.Lives[0].Lines != after {
		t.Error("late writers continued after their time")
	}
}

func TestTheSameSeedWritesTheSame(t *testing.T) {
	write := func(seed uint64) uint32 {
		k := newClock()
		f := start(t, k, Config{Files: 2, Busy: 2, LinesPerSecond: 500, Shape: Even, Rotation: NoRotation, Seed: seed})
		steps(t, f, k, 4, time.Second)
		return f.ledger.Lives[0].CRC
	}
	once, again, other := write(5), write(5), write(6)
	if once != again || once == other {
		t.Error("the seed does not decide what is written")
	}
}

func TestInvalidConfigurationsAreErrors(t *testing.T) {
	for _, c := range []Config{
		{Files: 0, Shape: Even, Rotation: NoRotation},
		{Files: 1, Busy: 2, Shape: Even, Rotation: NoRotation},
		{Files: 1, Shape: "round", Rotation: NoRotation},
		{Files: 1, Shape: Even, Rotation: "sideways"},
		{Files: 1, Shape: Even, Rotation: Rename},
		{Files: 1, Shape: Even, Rotation: Rename, RotateEvery: time.Second, LateFor: time.Second, Keep: 1},
	} {
		c.Dir, c.Now = t.TempDir(), time.Now
		if f, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
			f.Close()
		}
	}
}
