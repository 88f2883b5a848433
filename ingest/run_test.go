package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a directory, a table and an archive that several runs share.
type site struct {
	dir     string
	table   *collectortest.Table
	archive *collectortest.Archive
}

func newSite(t *testing.T) *site {
	return &site{t.TempDir(), collectortest.NewTable(), collectortest.NewArchive(vfs.OS{})}
}

// once runs Once over the named files in the site's directory, with a collector of its own.
func (s *site) once(t *testing.T, ctx context.Context, names ...string) (OnceResult, *collector.Counters, error) {
	t.Helper()
	var logs []logfile.Log
	for _, name := range names {
		l, err := logfile.Look(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	discard := slog.New(slog.DiscardHandler)
	checkpoint, err := checkpoint.Open(vfs.OS{}, filepath.Join(s.dir, "checkpoint"), "c1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := collector.New(context.Background(), collector.Config{
		FS: vfs.OS{}, SpoolDir: filepath.Join(s.dir, "spool"), Checkpoint: checkpoint, Table: s.table,
		Archive: s.archive, Naming: collectortest.Days{}, RollBytes: 64 << 10, Level: 1, Log: discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := Once(ctx, OnceConfig{Checkpoint: checkpoint, Collector: c, Host: "web01", Format: "auto", Log: discard}, logs)
	return result, &c.Counters, errors.Join(err, c.Close(context.Background()))
}

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holds fails unless table and archive contain exactly these lines.
func (s *site) holds(t *testing.T, text string) {
	t.Helper()
	want := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(want)
	if got := s.table.Lines(); !slices.Equal(got, want) {
		t.Errorf("the table holds %d lines, want %d", len(got), len(want))
	}
	if got := s.archive.Lines(t); !slices.Equal(got, want) {
		t.Errorf("the archive holds %d lines, want %d", len(got), len(want))
	}
}

// TestOnceStoresGrowthOnly checks that each run stores only new lines, also after a rename, of a
// compressed copy, and after a last line without newline.
func TestOnceStoresGrowthOnly(t *testing.T) {
	s, log := newSite(t), collectortest.Log(50)+"\n"
	s.write(t, "access.log", log)
	remove := func(name string) {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		name  string
		do    func()
		file  string
		lines int64
	}{
		{"a new log", func() {}, "access.log", 50},
		{"nothing new", func() {}, "access.log", 0},
		{"grown", func() { log += "bad new line\n"; s.write(t, "access.log", log) }, "access.log", 1},
		{"renamed", func() {
			if err := os.Rename(filepath.Join(s.dir, "access.log"), filepath.Join(s.dir, "access.log.1")); err != nil {
				t.Fatal(err)
			}
		}, "access.log.1", 0},
		{"compressed", func() { remove("access.log.1"); s.write(t, "access.log.2.gz", gzipped(t, log)) }, "access.log.2.gz", 0},
		{"written on while it was compressed", func() {
			remove("access.log.2.gz")
			log += "bad last line"
			s.write(t, "access.log.3.gz", gzipped(t, log))
		}, "access.log.3.gz", 1},
		{"that again", func() {}, "access.log.3.gz", 0},
	}
	for _, step := range steps {
		step.do()
		result, counters, err := s.once(t, t.Context(), step.file)
		if err != nil || len(result.Failed) > 0 {
			t.Fatalf("%s: %v, %v", step.name, err, result.Failed)
		}
		if got := counters.Lines.Load(); got != step.lines {
			t.Errorf("%s: %d lines, want %d", step.name, got, step.lines)
		}
		s.holds(t, log)
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestOnceReadsWhatCompressedLogsHold checks gzip with one and two members, and zstd.
func TestOnceReadsWhatCompressedLogsHold(t *testing.T) {
	log := collectortest.Log(50)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.gz": gzipped(t, log), "two-members.gz": gzipped(t, log[:100]) + gzipped(t, log[100:]),
		"a.zst": string(encoder.EncodeAll([]byte(log), nil)),
	} {
		s := newSite(t)
		s.write(t, name, content)
		if result, _, err := s.once(t, t.Context(), name); err != nil || len(result.Failed) > 0 {
			t.Fatalf("%s: %v, %v", name, err, result.Failed)
		}
		s.holds(t, log)
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOneBadLogDoesNotStopTheOthers checks that a torn log does not stop the others, and that its
// readable part is stored.
func TestOneBadLogDoesNotStopTheOthers(t *testing.T) {
	s, log := newSite(t), collectortest.Log(40)+"\n"
	var random strings.Builder // so that half of the compressed file contains whole lines
	for i := range 200_000 {
		random.WriteString("bad " + strings.Repeat(string(rune('a'+i*7%26)), i*31%17) + "\n")
	}
	whole := gzipped(t, random.String())
	s.write(t, "torn.gz", whole[:len(whole)/2])
	s.write(t, "access.log", log)
	s.write(t, "empty", "")
	result, counters, err := s.once(t, t.Context(), "torn.gz", "empty", "access.log")
	if err != nil || len(result.Failed) != 1 || !strings.Contains(result.Failed[0].Error(), "torn.gz") {
		t.Fatalf("%v, %v", err, result.Failed)
	}
	if counters.Lines.Load() <= 40 {
		t.Errorf("%d lines: nothing of the torn log", counters.Lines.Load())
	}
	s.write(t, "torn.gz", whole) // restore the whole file: the rest is stored
	if result, _, err := s.once(t, t.Context(), "torn.gz"); err != nil || len(result.Failed) > 0 {
		t.Fatalf("%v, %v", err, result.Failed)
	}
	s.holds(t, random.String()+log)
}

// TestALogThatShrankIsAnError checks that the lines of a log that shrank are not read as new.
func TestALogThatShrankIsAnError(t *testing.T) {
	s, log := newSite(t), collectortest.Log(40)+"\n"
	s.write(t, "access.log", log)
	if _, _, err := s.once(t, t.Context(), "access.log"); err != nil {
		t.Fatal(err)
	}
	s.write(t, "access.log", log[:len(log)/2]) // inode and first line stay the same
	result, _, err := s.once(t, t.Context(), "access.log")
	if err != nil || len(result.Failed) != 1 || !strings.Contains(result.Failed[0].Error(), "shorter than what is stored") {
		t.Errorf("%v, %v", err, result.Failed)
	}
	s.holds(t, log)
}

// TestInterruptedRunKeepsWhatItRead checks that the run after an interrupted one stores the
// remaining lines.
func TestInterruptedRunKeepsWhatItRead(t *testing.T) {
	s, log := newSite(t), collectortest.Log(60_000)+"\n"
	s.write(t, "access.log", log)
	ctx, cancel := context.WithCancel(t.Context())
	s.archive.Fail = func() error { cancel(); return nil } // when the first segment is archived
	_, counters, err := s.once(t, ctx, "access.log")
	if !errors.Is(err, context.Canceled) || counters.Lines.Load() == 0 || counters.Lines.Load() >= 60_000 {
		t.Fatalf("%d lines, %v: want some, and canceled", counters.Lines.Load(), err)
	}
	if _, _, err := s.once(t, t.Context(), "access.log"); err != nil {
		t.Fatal(err)
	}
	s.holds(t, log)
}

// TestLogsOfTheSameLinesAreAllStored checks logs with identical content, such as virtual hosts'
// logs with one health check in the same second: none is taken for a copy of another.
func TestLogsOfTheSameLinesAreAllStored(t *testing.T) {
	s, log := newSite(t), collectortest.Log(1)+"\n"
	var want string
	for i, name := range []string{"a.log", "b.log", "a.log.1"} {
		s.write(t, name, log)
		if _, counters, err := s.once(t, t.Context(), name); err != nil || counters.Lines.Load() != 1 {
			t.Fatalf("log %d: %d lines, %v", i, counters.Lines.Load(), err)
		}
		want += log
	}
	s.holds(t, want)
}
