package monitor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/ingest/governor"
)

func TestAStatusIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status.json")
	if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no status yet: %v", err)
	}
	at := time.Unix(1_800_000_000, 5).UTC()
	// The second status replaces the first.
	for _, lines := range []int64{1, 2} {
		want := Status{At: at, PID: 7, Began: at, Host: "web01", Lines: lines, LostBytes: 3, Governor: governor.State{Level: governor.Paused, Reason: "busy", Since: at}}
		if err := Write(path, &want); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v: %v", got, want, err)
		}
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 { // the pattern is valid
		t.Errorf("%s is left", left)
	}
}

func TestAStatusThatCannotBeUsedIsAnErrorWithItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status.json")
	for _, text := range []string{"", "{", `{"at": 5}`, strings.Repeat(" ", maxStatusBytes) + "{}"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if err := Write(filepath.Join(path, "below a file"), &Status{}); err == nil {
		t.Error("a status was written below a file")
	}
}
