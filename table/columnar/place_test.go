package columnar

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sluice/archive"
	"sluice/archive/localdir"
)

// placeFile writes the file of a segment: lines[i] is the number of lines of log i.
func placeFile(t *testing.T, segment string, otherBytes bool, lines ...int) string {
	t.Helper()
	o := WriterOptions{Segment: segment}
	if otherBytes {
		o.RowGroupRows = 3
	}
	var logs []testLog
	for i, n := range lines {
		data := bytes.Join(bytes.SplitAfter(sampleLog(t, uint64(i), 40), []byte{'\n'})[:n], nil)
		logs = append(logs, newLog("web01", fmt.Sprint("log", i), "combined", data))
	}
	path := filepath.Join(t.TempDir(), "local"+Suffix)
	if err := os.WriteFile(path, file(t, o, EncoderOptions{}, 1<<20, logs...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileOfTheSameSegmentStays(t *testing.T) {
	store, err := localdir.Open(t.TempDir(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	const name = "day=20260903/host=web01/access.c1-000001" + Suffix
	put := func(local string) error { return Place(t.Context(), store, local, name) }
	if err := put(placeFile(t, "access.c1-000001", false, 10, 20)); err != nil {
		t.Fatal(err)
	}
	if err := put(placeFile(t, "access.c1-000001", true, 10, 20)); err != nil {
		t.Errorf("the same segment in other bytes: %v", err)
	}
	if err := put(placeFile(t, "access.c1-000001", false, 10, 21)); !errors.Is(err, archive.ErrConflict) {
		t.Errorf("other ranges: %v, want a conflict", err)
	}
	if err := put(placeFile(t, "access.c1-000002", true, 10, 20)); !errors.Is(err, archive.ErrConflict) {
		t.Errorf("another segment: %v, want a conflict", err)
	}
}

// TestRepairLosesNoRows checks that an intact file with more rows than the segment still has is
// kept, and that a damaged file, or one with fewer rows, is replaced.
func TestRepairLosesNoRows(t *testing.T) {
	for what, c := range map[string]struct {
		there, made []int
		damage      bool
		want        int
	}{
		"more rows":      {[]int{10, 20}, []int{10, 15}, false, 30},
		"fewer rows":     {[]int{10, 15}, []int{10, 20}, false, 30},
		"damaged":        {[]int{10, 20}, []int{10, 20}, true, 30},
		"more, damaged":  {[]int{10, 20}, []int{10, 15}, true, 25},
		"other log gone": {[]int{10, 20}, []int{10}, false, 30},
	} {
		t.Run(what, func(t *testing.T) {
			root := t.TempDir()
			store, err := localdir.Open(root, "c1")
			if err != nil {
				t.Fatal(err)
			}
			const name = "access.c1-000001" + Suffix
			if err := Repair(t.Context(), store, placeFile(t, "s", false, c.there...), name); err != nil {
				t.Fatal(err)
			}
			if c.damage {
				b, err := os.ReadFile(filepath.Join(root, name))
				if err != nil {
					t.Fatal(err)
				}
				b[len(b)/4] ^= 8
				if err := os.WriteFile(filepath.Join(root, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := Repair(t.Context(), store, placeFile(t, "s", true, c.made...), name); err != nil {
				t.Fatal(err)
			}
			done, err := Verify(t.Context(), store, nil, func(p Problem) { t.Errorf("left: %+v", p) })
			if err != nil || done.Rows != int64(c.want) {
				t.Errorf("%d rows, want %d: %v", done.Rows, c.want, err)
			}
		})
	}
}
