package main

import (
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/monitor"
)

// TestAnEmptyListOfExpectedHostsIsAWarningAndChangesNothing checks a list that becomes empty while
// the collector runs and before it starts.
func TestAnEmptyListOfExpectedHostsIsAWarningAndChangesNothing(t *testing.T) {
	data := t.TempDir()
	path := filepath.Join(data, "hosts")
	a := &app{ctx: t.Context(), log: slog.New(slog.DiscardHandler), cli: new(cli), logs: newLogWriter(io.Discard)}
	a.cli.Data = data
	list := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	begin := func() (*watching, func()) {
		t.Helper()
		w, end, err := a.watch(data, new(messageFlags), monitor.Collector, "c1", expectFlags{Expect: []string{"db1"}, ExpectFile: path}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return w, end
	}
	check := func(w *watching, problems int, hosts ...string) {
		t.Helper()
		now := time.Now()
		w.observe(a, now, nil)
		f := monitor.Fleet{Now: now, Kind: monitor.Collector}
		w.add(&f)
		if got := slices.Sorted(maps.Keys(f.Hosts)); !slices.Equal(got, hosts) || len(f.Problems) != problems || problems > 0 && f.Problems[0].Kind != monitor.ListUnread {
			t.Errorf("%q are expected, %v", got, f.Problems)
		}
	}
	list("web01 web02\n")
	w, end := begin()
	check(w, 0, "db1", "web01", "web02")
	list("")
	check(w, 1, "db1", "web01", "web02")
	end()
	w, end = begin()
	check(w, 1, "db1", "web01", "web02")
	list("web02 web03\n")
	check(w, 0, "db1", "web02", "web03")
	end()
}
