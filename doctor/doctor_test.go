package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func collect() (*Report, *[]Result) {
	var all []Result
	return &Report{Show: func(r Result) { all = append(all, r) }}, &all
}

func TestAStepPassesFailsOrIsSkipped(t *testing.T) {
	r, all := collect()
	now := time.Unix(0, 0)
	r.Now = func() time.Time { now = now.Add(time.Second); return now }
	for _, err := range []error{nil, errors.New("broken"), Skip("no %s", "need"), context.Canceled} {
		r.Step("step", func() (string, error) { return "found", err })
	}
	r.Timed("round trip", func() (string, time.Duration, error) { return "", time.Minute, nil })
	want := []Result{
		{"step", OK, time.Second, "found"}, {"step", Failed, time.Second, "broken"}, {"step", Skipped, 0, "no need"},
		{"step", Failed, time.Second, "interrupted"}, {"round trip", OK, time.Minute, ""},
	}
	for i, got := range *all {
		if got != want[i] {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
	if r.Failed() != 2 {
		t.Errorf("%d failed, want 2", r.Failed())
	}
}

func TestADirectoryCheckLeavesTheDirectoryUnchanged(t *testing.T) {
	dir := t.TempDir()
	r, all := collect()
	Directory(r, "archive", dir)
	Directory(r, "archive", filepath.Join(dir, "not", "yet", "there"))
	if r.Failed() != 0 || len(*all) != 6 {
		t.Errorf("%+v", *all)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAPathThatIsNotADirectoryIsReported(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, all := collect()
	Directory(r, "archive", file)
	if len(*all) != 2 || (*all)[0].Status != Failed || !strings.Contains((*all)[0].Text, "is not a directory") || (*all)[1].Status != Skipped {
		t.Errorf("%+v", *all)
	}
}
