package columnar_test

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
)

func TestLinesOfTheSpoolAreThereAsSoonAsTheyAreWritten(t *testing.T) {
	x := newTree(t)
	logs := x.fill(1, 2, 200)
	open := x.segment("web01")
	for i := range 5 {
		b, want := logs[i%2].batch(50)
		x.append(open, b)
		x.want = append(x.want, want...)
		x.expect(schema.Scan{})
	}
	sealed := x.segment("web02")
	b, want := logs[2].batch(300)
	x.append(sealed, b)
	x.want = append(x.want, want...)
	path := x.seal(sealed)
	for _, scan := range x.scans(logs) {
		x.expect(scan)
	}
	x.put(path) // it is now in the tree and in the spool
	x.expect(schema.Scan{})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	x.expect(schema.Scan{})
	x.put(x.seal(open))
	x.expect(schema.Scan{})
}

func TestOnlyWholeMembersOfAnOpenSegmentCount(t *testing.T) {
	x := newTree(t)
	l := newTestLog(t, "web01", 1, "combined")
	w := x.segment("web01")
	for range 3 {
		b, want := l.batch(100)
		x.append(w, b)
		x.want = append(x.want, want...)
	}
	path := w.Path()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := l.batch(100)
	m, err := w.Append(x.encoder, b)
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int64{0, 1, 61, 62, 63, m.Bytes / 2, m.Bytes - 1} {
		if err := os.WriteFile(path, full[:int64(len(whole))+cut], 0o600); err != nil {
			t.Fatal(err)
		}
		x.expect(schema.Scan{})
	}
	torn := append([]byte{}, full...) // the end of the member is not on disk yet
	clear(torn[len(torn)-20:])
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	x.expect(schema.Scan{})
}

// TestASealedSegmentThatIsDamagedIsAnError checks that missing lines are an error, not an
// incomplete result.
func TestASealedSegmentThatIsDamagedIsAnError(t *testing.T) {
	x := newTree(t)
	l := newTestLog(t, "web01", 1, "combined")
	w := x.segment("web01")
	b, _ := l.batch(100)
	x.append(w, b)
	path := x.seal(w)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-5] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := x.snapshot(columnar.Bounds{})
	defer s.Close()
	var failed error
	for _, err := range s.Scan(t.Context(), schema.Scan{}) {
		failed = err
	}
	if failed == nil {
		t.Error("the scan did not fail")
	}
	if err := s.Batches(t.Context(), columnar.Want{}, func(int, *columnar.Batch, columnar.Selection) error { return nil }); err == nil {
		t.Error("the batches did not fail")
	}
}

func TestOtherFilesInTheSpoolAreNoSegments(t *testing.T) {
	x := newTree(t)
	for _, name := range []string{"web01/x.gz", "web01/20260903-000001.parquet.open", "README.gz"} {
		path := filepath.Join(x.spool, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("no segment"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x.expect(schema.Scan{})
}

// TestAStreamsFormatMayChangeWithinASegment checks that each line is parsed with the format that
// the sender had at the time.
func TestAStreamsFormatMayChangeWithinASegment(t *testing.T) {
	x := newTree(t)
	l := newTestLog(t, "web01", 1, "combined")
	w := x.segment("web01")
	b, want := l.batch(50)
	x.append(w, b)
	x.want = append(x.want, want...)
	other := newTestLog(t, "web01", 1, "common")
	other.offset = l.offset
	b, want = other.batch(50)
	x.append(w, b)
	x.want = append(x.want, want...)
	x.expect(schema.Scan{})
	x.put(x.seal(w))
	x.expect(schema.Scan{})
}

// TestColumnsOfOpenSegmentsAreMadeAhead checks that queries read columns made ahead instead of
// lines, and that results do not depend on those columns, even if they are missing or damaged.
func TestColumnsOfOpenSegmentsAreMadeAhead(t *testing.T) {
	x := newTree(t)
	logs := x.fill(1, 2, 100)
	ahead := columnar.NewAhead(x.spool, 10_000)
	files := func() int {
		list, err := filepath.Glob(x.spool + "-ahead/*.parquet")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	step := func(want int) {
		t.Helper()
		if err := ahead.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := files(); n != want {
			t.Errorf("%d files of columns ahead, want %d", n, want)
		}
		x.expect(schema.Scan{})
	}
	step(0)
	w := x.segment("web01")
	write := func(n int) {
		b, want := logs[0].batch(n)
		x.append(w, b)
		x.want = append(x.want, want...)
	}
	write(10)
	step(0) // too few lines
	write(200)
	step(1)
	write(10)
	step(1)
	write(200)
	step(2)
	path := x.seal(w)
	step(2)
	for _, scan := range x.scans(logs) {
		x.expect(scan)
	}
	x.put(path)
	step(2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	x.expect(schema.Scan{})
	step(0)

	w = x.segment("web01")
	write(300)
	step(1)
	list, err := filepath.Glob(x.spool + "-ahead/*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(list[0], 100); err != nil { // truncated by a crash
		t.Fatal(err)
	}
	x.expect(schema.Scan{})
	ahead = columnar.NewAhead(x.spool, 10_000) // after a restart
	step(1)
}
