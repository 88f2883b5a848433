package audit

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/schema"
	"sluice/table/tabletest"
)

// contents returns the content of a table as text.
func contents(t *testing.T, table *tabletest.Memory) string {
	t.Helper()
	var b strings.Builder
	for row, err := range table.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%x", row.Key)
		for _, c := range row.Cells {
			fmt.Fprintf(&b, " %s=%q", c.Qualifier, c.Value)
		}
		b.WriteByte('\n')
	}
	streams, err := table.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range streams {
		fmt.Fprintf(&b, "%+v\n", e)
	}
	return b.String()
}

// replayInto replays the world's archive into a table.
func (w *world) replayInto(table *tabletest.Memory, cfg ReplayConfig) (failed []string, text string) {
	w.t.Helper()
	cfg.Table, cfg.Archive, cfg.Pattern = table, w.archive, w.pattern
	r, err := NewReplay(w.t.Context(), cfg)
	if err == nil {
		failed, err = r.Run(w.t.Context())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return failed, contents(w.t, table)
}

// Table, checkpoint and logs are lost: the table is rebuilt from the archive, and a second replay
// changes nothing.
func TestAnArchiveAloneMakesTheTableAgain(t *testing.T) {
	w := newWorld(t)
	for _, s := range w.streams { // as a collector counts them
		s.Lines, s.ParseErrors = worldDays*worldLines, 1
	}
	w.fillTable()
	want := rowsOf(contents(t, w.table))
	for _, s := range w.streams {
		if err := os.Remove(s.path); err != nil {
			t.Fatal(err)
		}
	}
	again := newTable(t, nil)
	failed, first := w.replayInto(again, ReplayConfig{})
	if len(failed) > 0 || rowsOf(first) != want {
		t.Errorf("failed %v; the rows are others: %d and %d bytes", failed, len(first), len(want))
	}
	for _, s := range w.streams {
		if !strings.Contains(first, fmt.Sprintf("Stored:%d Lines:%d ParseErrors:1", s.Stored, s.Lines)) || !strings.Contains(first, "map[site:shop]") || !strings.Contains(first, s.path) {
			t.Errorf("the directory has not all of %s: %s", s.path, first[len(first)-800:])
		}
	}
	if _, second := w.replayInto(again, ReplayConfig{}); second != first {
		t.Error("a second replay changed something")
	}
}

// rowsOf returns the rows without the directory.
func rowsOf(contents string) string {
	return contents[:strings.Index(contents, "{Stream:")]
}

func TestAReplayIntoTheTableItCameFromChangesNoRow(t *testing.T) {
	w := newWorld(t)
	w.fillTable()
	_, first := w.replayInto(w.table, ReplayConfig{})
	if _, second := w.replayInto(w.table, ReplayConfig{}); second != first {
		t.Error("a second replay changed something")
	}
}

func TestAReplayStoresIntactMembersAndReportsTheRest(t *testing.T) {
	w := newWorld(t)
	_, sound := w.replayInto(newTable(t, nil), ReplayConfig{})
	damages[5].do(w) // a byte of the archive changed
	failed, got := w.replayInto(newTable(t, nil), ReplayConfig{})
	if len(failed) != 1 || strings.Count(rowsOf(got), "\n") != strings.Count(rowsOf(sound), "\n")-linesPerBatch {
		t.Errorf("failed %v; %d rows of %d", failed, strings.Count(got, "\n"), strings.Count(sound, "\n"))
	}
	m := w.catalog().Members[7]
	if !strings.Contains(got, fmt.Sprintf("Stored:%d ", m.Range.Start)) {
		t.Errorf("stored reaches beyond what is damaged: %s", got[len(got)-800:])
	}
	// The same range again, intact: nothing is missing.
	w2 := newWorld(t)
	for _, d := range []int{5} {
		b, err := os.ReadFile(w2.path("20260901/web01/access.c1-000002.log.gz"))
		if err == nil {
			err = os.WriteFile(w2.path("20260901/web01/access.c2-000002.log.gz"), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		damages[d].do(w2)
	}
	failed, got = w2.replayInto(newTable(t, nil), ReplayConfig{})
	if len(failed) != 1 || strings.Count(rowsOf(got), "\n") != strings.Count(rowsOf(sound), "\n") {
		t.Errorf("failed %v; %d rows of %d", failed, strings.Count(got, "\n"), strings.Count(sound, "\n"))
	}
}
