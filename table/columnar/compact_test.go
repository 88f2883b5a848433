package columnar_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/schema"
	"sluice/table/columnar"
)

func everyDay(columnar.Partition) bool { return true }

func (x *tree) compact() columnar.Compaction {
	x.Helper()
	done, err := columnar.Compact(x.Context(), x.store, columnar.CompactOptions{TempDir: x.TempDir(), Closed: everyDay})
	if err != nil {
		x.Fatal(err)
	}
	return done
}

func TestCompactMakesOneSortedFileOfADayAndHost(t *testing.T) {
	x := newTree(t)
	x.fill(5, 2, 300)
	done := x.compact()
	if done.Merged != 2 || done.Files != 10 || done.Rows != int64(len(x.want)) || done.Bytes == 0 {
		t.Errorf("%+v", done)
	}
	files := x.files()
	if len(files) != 2 || !strings.HasPrefix(files[0], "day=20260903/host=web01/merged.") || !strings.HasPrefix(files[1], "day=20260903/host=web02/merged.") {
		t.Errorf("%v", files)
	}
	x.expect(schema.Scan{})
	x.expect(schema.Scan{Reverse: true, Limit: 100})
	if done := x.compact(); done != (columnar.Compaction{}) {
		t.Errorf("the second time: %+v", done)
	}
}

// TestCompactMergesMoreRowGroupsThanItHolds merges more row groups than maxMergeWidth, through
// files on disk.
func TestCompactMergesMoreRowGroupsThanItHolds(t *testing.T) {
	x := newTree(t)
	x.fill(2, 30, 512) // row groups of 512 rows, 60 each of web01
	x.compact()
	x.expect(schema.Scan{})
}

func TestCompactLeavesOpenDaysAndLargeFilesAlone(t *testing.T) {
	x := newTree(t)
	x.fill(3, 1, 300)
	before := x.files()
	open := func(p columnar.Partition) bool { return p.Day < "20260903" }
	small := columnar.CompactOptions{TempDir: t.TempDir(), Closed: everyDay, TargetBytes: 100}
	dry := columnar.CompactOptions{TempDir: t.TempDir(), Closed: everyDay, DryRun: true}
	for _, o := range []columnar.CompactOptions{{TempDir: t.TempDir(), Closed: open}, small, dry} {
		done, err := columnar.Compact(t.Context(), x.store, o)
		if err != nil || o.DryRun != (done.Merged == 2) {
			t.Errorf("%+v, %v", done, err)
		}
		if after := x.files(); strings.Join(before, " ") != strings.Join(after, " ") {
			t.Errorf("%v, was %v", after, before)
		}
	}
}

func TestAFileThatComesBackAfterItWasMergedDoesNotCount(t *testing.T) {
	x := newTree(t)
	l := newTestLog(t, "web01", 1, "combined")
	var paths []string
	for range 3 {
		w := x.segment("web01")
		b, want := l.batch(100)
		x.want = append(x.want, want...)
		x.append(w, b)
		paths = append(paths, x.seal(w))
		x.put(paths[len(paths)-1])
	}
	x.compact()
	x.put(paths[1]) // a crash before the checkpoint was written: the file is stored again
	x.expect(schema.Scan{})
	if done := x.compact(); done.Removed != 1 || done.Merged != 0 {
		t.Errorf("%+v", done)
	}
	b, want := l.batch(100)
	x.want = append(x.want, want...)
	x.storeBatches("web01", b)
	x.compact()
	x.put(paths[2])
	x.expect(schema.Scan{})
	for _, p := range paths {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	x.expect(schema.Scan{})
	if done := x.compact(); done.Removed != 1 || len(x.files()) != 1 {
		t.Errorf("%+v: %v", done, x.files())
	}
}

// crashingStore simulates a crash at one of its writes: before it, after it, or between writing a
// file's data and renaming it.
type crashingStore struct {
	columnar.TreeStore
	left  int // number of writes that still succeed
	after bool
}

var errCrash = errors.New("crash")

func (s *crashingStore) write(do func() error) error {
	s.left--
	switch {
	case s.left < 0 && !s.after:
		return errCrash
	case s.left < 0:
		s.after = false // all later writes fail
		return errors.Join(do(), errCrash)
	}
	return do()
}

func (s *crashingStore) Store(ctx context.Context, local, name string) error {
	return s.write(func() error { return s.TreeStore.Store(ctx, local, name) })
}

func (s *crashingStore) Remove(ctx context.Context, name string) error {
	return s.write(func() error { return s.TreeStore.Remove(ctx, name) })
}

func TestACrashAtAnyWriteOfCompactLeavesEveryLineOnce(t *testing.T) {
	for _, after := range []bool{false, true} {
		for crash := 0; ; crash++ {
			x := newTree(t)
			x.fill(3, 1, 60)
			store := &crashingStore{TreeStore: x.store, left: crash, after: after}
			_, err := columnar.Compact(t.Context(), store, columnar.CompactOptions{TempDir: t.TempDir(), Closed: everyDay})
			x.expect(schema.Scan{})
			if err == nil {
				if crash < 8 { // a merge stores two files and removes six
					t.Errorf("only %d writes", crash)
				}
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			x.compact()
			x.expect(schema.Scan{})
			if len(x.files()) != 2 {
				t.Errorf("crash at %d: %v", crash, x.files())
			}
		}
	}
}

func TestPruneRemovesWhatIsOldAndStored(t *testing.T) {
	x := newTree(t)
	logs := x.fill(2, 1, 100)
	ended := time.Date(2026, 9, 4, 12, 0, 0, 0, time.UTC) // in every time zone
	all := func(schema.StreamID, int64) bool { return true }
	first := func(id schema.StreamID, end int64) bool { return id != logs[2].stream.ID || end < logs[2].offset }
	for _, c := range []struct {
		name  string
		o     columnar.PruneOptions
		files int
		kept  int
	}{
		{"too young", columnar.PruneOptions{Before: ended.Add(-1), Stored: all}, 0, 0},
		{"dry", columnar.PruneOptions{Before: ended, Stored: all, DryRun: true}, 4, 0},
		{"not noted", columnar.PruneOptions{Before: ended, Stored: all, Note: func([]columnar.StreamMeta) error { return errCrash }}, 0, 0},
	} {
		done, err := columnar.Prune(t.Context(), x.store, c.o)
		if errors.Is(err, errCrash) != (c.o.Note != nil) || done.Files != c.files || len(x.files()) != 4 {
			t.Errorf("%s: %+v, %v: %v", c.name, done, err, x.files())
		}
	}
	var noted int64
	note := func(streams []columnar.StreamMeta) error {
		for _, s := range streams {
			for _, r := range s.Ranges {
				noted += r.Lines
			}
		}
		return nil
	}
	done, err := columnar.Prune(t.Context(), x.store, columnar.PruneOptions{Before: ended, Stored: first, Note: note})
	if err != nil || done.Files != 3 || done.NotStored != 1 || noted != done.Rows {
		t.Errorf("%+v, %v, %d lines noted", done, err, noted)
	}
	if files := x.files(); len(files) != 1 || !strings.HasPrefix(files[0], "day=20260903/host=web02/") {
		t.Errorf("left: %v", files)
	}
}

// TestADamagedFileKeepsNoOtherFromMaintenance checks that a damaged file does not stop Compact and
// Prune for files of other hosts and days, or of the same.
func TestADamagedFileKeepsNoOtherFromMaintenance(t *testing.T) {
	x := newTree(t)
	x.fill(3, 1, 50)
	damaged := filepath.Join(x.root, "day=20260903", "host=web01", "a"+columnar.Suffix)
	if err := os.WriteFile(damaged, []byte("no Parquet file"), 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := columnar.Compact(t.Context(), x.store, columnar.CompactOptions{TempDir: t.TempDir(), Closed: everyDay})
	if !errors.Is(err, columnar.ErrFile) || done.Merged != 1 || done.Files != 3 {
		t.Errorf("compacted: %+v, %v", done, err)
	}
	old := columnar.PruneOptions{Before: time.Date(2026, 9, 5, 0, 0, 0, 0, time.UTC)}
	pruned, err := columnar.Prune(t.Context(), x.store, old)
	if !errors.Is(err, columnar.ErrFile) || pruned.Files != 4 {
		t.Errorf("pruned: %+v, %v", pruned, err)
	}
	if files := x.files(); len(files) != 1 || !strings.HasSuffix(damaged, files[0]) {
		t.Errorf("left: %v", files)
	}
}
