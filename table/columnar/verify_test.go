package columnar_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
)

func (x *tree) verify() []columnar.Problem {
	x.Helper()
	var problems []columnar.Problem
	done, err := columnar.Verify(x.Context(), x.store, nil, func(p columnar.Problem) { problems = append(problems, p) })
	if err != nil {
		x.Fatal(err)
	}
	if done.Files != len(x.files()) {
		x.Errorf("%d files verified of %d", done.Files, len(x.files()))
	}
	return problems
}

func TestVerifyFindsNothingInSoundFiles(t *testing.T) {
	x := newTree(t)
	x.fill(2, 3, 700)
	if problems := x.verify(); len(problems) != 0 {
		t.Errorf("%v", problems)
	}
	x.compact()
	if problems := x.verify(); len(problems) != 0 {
		t.Errorf("merged: %v", problems)
	}
}

// TestVerifyFindsDamage flips a bit anywhere in a file: either Verify reports it or the rows of the
// file are unchanged.
func TestVerifyFindsDamage(t *testing.T) {
	x := newTree(t)
	x.fill(1, 1, 300)
	path := filepath.Join(x.root, x.files()[0])
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 4; at < len(whole)-8; at += 1 + len(whole)/60 {
		damaged := append([]byte{}, whole...)
		damaged[at] ^= 0x10
		if err := os.Remove(path); err != nil { // it may be a hard link
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if problems := x.verify(); len(problems) > 0 {
			found++
			continue
		}
		x.expect(schema.Scan{}) // a byte that does not affect rows
	}
	if found < 40 {
		t.Errorf("damage found %d times of 60", found)
	}
}

func TestADamagedMergedFileIsRemovedWhenItsRowsAreInOthers(t *testing.T) {
	x := newTree(t)
	l := newTestLog(t, "web01", 1, "combined")
	var segments []string
	for range 3 {
		w := x.segment("web01")
		b, want := l.batch(100)
		x.want = append(x.want, want...)
		x.append(w, b)
		segments = append(segments, x.seal(w))
		x.put(segments[len(segments)-1])
	}
	x.compact()
	path := filepath.Join(x.root, x.files()[0])
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/3] ^= 0x10
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(x.verify()) == 0 {
		t.Fatal("the damage was not found")
	}
	for _, name := range segments[:2] {
		x.put(name)
	}
	if removed, err := columnar.RemoveBadMerged(t.Context(), x.store, false); err != nil || len(removed) != 0 {
		t.Errorf("removed %v, %v, and a third of its rows is nowhere else", removed, err)
	}
	x.put(segments[2])
	if removed, err := columnar.RemoveBadMerged(t.Context(), x.store, false); err != nil || len(removed) != 1 || !strings.Contains(removed[0], "merged.") {
		t.Errorf("removed %v, %v", removed, err)
	}
	for _, name := range segments {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	x.expect(schema.Scan{})
}
