package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/test/cluster"
)

// A run whose files cannot be written because the disk is full, from the start or at some time, reports
// it and loses nothing; the next run continues.
func TestALoadOnAFullDiskLosesNothing(t *testing.T) {
	dir, fill, free := smallDisk(t, 256<<10)
	c := cluster.Start(t, cluster.Options{})
	r := newLoadRig(t, c, "typed", 8_000)
	if err := errors.Join(os.MkdirAll(r.data, 0o700), os.Symlink(dir, filepath.Join(r.data, "load"))); err != nil {
		t.Fatal(err)
	}
	once := []string{"--data", r.data, "-q", "run", "--once", "--host", "web01", "--load", "bulk", r.layout, r.table, r.log}
	var out, errs bytes.Buffer
	if code := run(t.Context(), once, strings.NewReader(""), &out, &errs); code != 1 || !strings.Contains(errs.String(), syscall.ENOSPC.Error()) ||
		!strings.Contains(errs.String(), "bulk load: ") || !strings.Contains(errs.String(), "hint: free space") {
		t.Errorf("status %d: %s%s", code, &out, &errs)
	}
	if left := r.files("*.*"); len(left) > 0 {
		t.Errorf("left on the local disk: %v, after %s", left, &errs)
	}
	fill() // not even the directory's lock can be written
	errs.Reset()
	if code := run(t.Context(), once, strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(errs.String(), "rows are written with Put") {
		t.Errorf("status %d: %s%s", code, &out, &errs)
	}
	free()
	r.holds()
	stagingIsEmpty(t, c, r)
}
