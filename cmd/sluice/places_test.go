package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/archive"
)

// A data directory's name may have characters that are special in a glob. What is left there is
// found nevertheless: otherwise a repair would use the names of segments that are still spooled.
func TestWhatIsLeftInADirectoryIsFoundIfItsNameLooksLikeAGlob(t *testing.T) {
	for _, name := range []string{"data", "data[1]", "data[", "data*", "data?", `data\`, "data{a,b}"} {
		data := filepath.Join(t.TempDir(), name)
		spooled := filepath.Join(data, "spool", "web01", "20260902-7.gz")
		merged := filepath.Join(data, "merge-1")
		if err := errors.Join(
			os.MkdirAll(filepath.Dir(spooled), 0o700), os.MkdirAll(merged, 0o700),
			os.WriteFile(spooled+".stored", nil, 0o600),
			os.WriteFile(filepath.Join(data, "marker.manifest.1"), nil, 0o600),
		); err != nil {
			t.Fatal(err)
		}
		lock, err := lockForRepair(data)
		if err != nil {
			t.Fatalf("%s: with stored segments only: %v", name, err)
		}
		if err := errors.Join(lock.Close(), os.WriteFile(spooled, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := lockForRepair(data); err == nil || !strings.Contains(err.Error(), "has left 1 segments") {
			t.Errorf("%s: a repair beside a spooled segment: %v", name, err)
		}
		if err := removeHalfMerged(data); err != nil || exists(merged) {
			t.Errorf("%s: what a killed compaction left is still there: %v", name, err)
		}
		pattern, err := archive.ParsePattern(strings.ReplaceAll(data, "%", "%%") + "/%Y%m%d/%{host}")
		if err != nil {
			t.Fatal(err)
		}
		if err := (tree{flag: "--table", pattern: pattern}).checkColumnar(); err == nil || !strings.Contains(err.Error(), "older version") {
			t.Errorf("%s: a table of an older version: %v", name, err)
		}
	}
}

// audit, prune, compact and ack have only --data: they use the checkpoint and the spool that the
// last process with this directory used, wherever its flags put them.
func TestCommandsFindACheckpointAndASpoolElsewhere(t *testing.T) {
	dir := t.TempDir()
	data, file, spool := filepath.Join(dir, "data"), filepath.Join(dir, "state", "positions"), filepath.Join(dir, "spool")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.MkdirAll(filepath.Join(spool, "web01"), 0o700), os.MkdirAll(data, 0o700)); err != nil {
		t.Fatal(err)
	}
	open := func(checkpoint, spool string) {
		t.Helper()
		a := &app{cli: &cli{Data: data}}
		cp, locks, err := a.openCheckpoint(checkpoint, spool)
		if err == nil {
			err = cp.Save()
		}
		if err := errors.Join(err, closeAll(locks)); err != nil {
			t.Fatal(err)
		}
	}
	open(file, spool)
	if cp, err := readCheckpoint(data); err != nil || cp == nil {
		t.Errorf("the checkpoint at %s: %v, %v", file, cp, err)
	}
	segment := filepath.Join(spool, "web01", "20260902-7.gz")
	if err := os.WriteFile(segment, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lockForRepair(data); err == nil || !strings.Contains(err.Error(), spool) {
		t.Errorf("a repair beside a spooled segment: %v", err)
	}
	open("", "")
	lock, err := lockForRepair(data)
	if err != nil {
		t.Fatalf("a repair after a process with the spool in --data: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(placesPath(data), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCheckpoint(data); err == nil || !strings.Contains(err.Error(), placesPath(data)) {
		t.Errorf("a damaged record: %v", err)
	}
}
