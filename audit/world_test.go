package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/archive"
	"sluice/archive/index"
	"sluice/archive/localdir"
	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/tabletest"
)

// TestMain ignores the goroutine of regexp2's clock, which stops a second after the last match.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

const (
	worldDays      = 3
	worldLines     = 60 // of one log and day
	linesPerBatch  = 10
	batchesPerFile = 3
)

// world is two logs of one host, stored: archive, table and checkpoint.
type world struct {
	t          *testing.T
	dir        string
	pattern    archive.Pattern
	archive    *localdir.Archive
	checkpoint *checkpoint.File
	streams    []*worldStream
	quarantine map[string][]schema.Cell
	// drop and change are the rows that the table does not get, or gets with changes.
	drop, change func(s *worldStream, line int) bool
	layout       *schema.Layout // nil: typed
	format       string         // "": combined
	own          map[int]string // lines, by their number
	table        *tabletest.Memory
}

// worldStream is one log.
type worldStream struct {
	*checkpoint.Stream
	path  string
	lines [][]byte // with their newlines
	start []int64
}

func newWorld(t *testing.T) *world { return newWorldOf(t, "", nil) }

// newWorldOf is newWorld with another format, and with other lines in the middle of the logs.
func newWorldOf(t *testing.T, format string, own map[int]string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, format: format, own: own}
	var err error
	if w.pattern, err = archive.ParsePattern(filepath.Join(dir, "archive") + "/%Y%m%d/%{host}"); err != nil {
		t.Fatal(err)
	}
	if w.archive, err = localdir.Open(filepath.Join(dir, "archive"), "c1"); err != nil {
		t.Fatal(err)
	}
	if w.checkpoint, err = checkpoint.Open(vfs.OS{}, filepath.Join(dir, "checkpoint"), "c1"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"access.log", "other.log"} {
		w.streams = append(w.streams, w.newStream(filepath.Join(dir, name), i))
	}
	w.fillArchive()
	return w
}

func (w *world) formatText() string {
	if w.format != "" {
		return w.format
	}
	return "combined"
}

// newStream writes a log and enters it into the checkpoint.
func (w *world) newStream(path string, number int) *worldStream {
	w.t.Helper()
	s := &worldStream{path: path}
	at := int64(0)
	for i := range worldDays * worldLines {
		moment := time.Date(2026, 9, 1+i/worldLines, 10, number, i%worldLines, 0, time.FixedZone("", 2*3600))
		line := fmt.Appendf(nil, "192.0.2.%d - - [%s] \"GET /%d/%d?q=1 HTTP/1.1\" 200 %d \"-\" \"agent \\\"x\\\"\"\n", i%250, moment.Format("02/Jan/2006:15:04:05 -0700"), number, i, 1000+i)
		if i == 7 {
			line = []byte("no line of Apache's\n")
		}
		if text := w.own[i]; text != "" {
			line = []byte(text + "\n")
		}
		s.lines, s.start = append(s.lines, line), append(s.start, at)
		at += int64(len(line))
	}
	if err := os.WriteFile(path, bytes.Join(s.lines, nil), 0o600); err != nil {
		w.t.Fatal(err)
	}
	l, err := logfile.Look(path)
	if err != nil {
		w.t.Fatal(err)
	}
	s.Stream, err = w.checkpoint.Logs.Identify(schema.StreamEntry{
		Stream: schema.Stream{Host: "web01", Path: path, Format: w.formatText()}, Labels: map[string]string{"site": "shop"},
	}, checkpoint.Log{Path: path, ID: l.ID, Start: slices.Concat(s.lines...), Open: l.Open})
	if err != nil {
		w.t.Fatal(err)
	}
	s.Stored = at
	w.checkpoint.Fingerprints.Remember(s.Stream, slices.Concat(s.lines...), at)
	return s
}

// fillArchive stores files of the lines of one day, members of both logs in turn.
func (w *world) fillArchive() {
	w.t.Helper()
	seq := 0
	for day := range worldDays {
		for first := 0; first < worldLines; first += linesPerBatch * batchesPerFile {
			seq++
			path := filepath.Join(w.dir, "segment.gz")
			seg, err := segment.Create(vfs.OS{}, path)
			if err != nil {
				w.t.Fatal(err)
			}
			for batch := range batchesPerFile {
				for _, s := range w.streams {
					w.append(seg, s, day*worldLines+first+batch*linesPerBatch, linesPerBatch)
				}
			}
			if _, err := seg.Seal(); err != nil {
				w.t.Fatal(err)
			}
			w.store(path, fmt.Sprintf("2026090%d/web01/access.c1-%06d.log.gz", day+1, seq))
		}
	}
}

func (w *world) append(seg *segment.Writer, s *worldStream, first, lines int) {
	w.t.Helper()
	enc, err := segment.NewEncoder(1)
	if err != nil {
		w.t.Fatal(err)
	}
	data := slices.Concat(s.lines[first : first+lines]...)
	_, err = seg.Append(enc, schema.Batch{
		Stream: &s.Stream.StreamEntry.Stream, Labels: s.Labels, Data: data, Lines: lines,
		Range: schema.Range{Start: s.start[first], End: s.start[first] + int64(len(data))},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) store(path, name string) {
	w.t.Helper()
	if err := w.archive.Store(w.t.Context(), path, name); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		w.t.Fatal(err)
	}
}

func newTable(t *testing.T, layout *schema.Layout) *tabletest.Memory {
	t.Helper()
	table, err := tabletest.NewMemory(layout)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// fillTable makes a new table of the logs' lines.
func (w *world) fillTable() {
	w.t.Helper()
	w.table = newTable(w.t, w.layout)
	format, err := parse.Lookup(w.formatText(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	var rows schema.Rows
	for _, s := range w.streams {
		w.table.Layout().AppendStream(&rows, &s.StreamEntry)
		other := s.StreamEntry.Stream
		other.Host = "web02"
		right, wrong := w.table.Layout().NewRowEncoder(&s.StreamEntry.Stream, format.Fields()), w.table.Layout().NewRowEncoder(&other, format.Fields())
		for i, line := range s.lines {
			var rec schema.Record
			format.Parse(bytes.TrimSuffix(line, []byte("\n")), &rec)
			switch {
			case w.drop != nil && w.drop(s, i):
			case w.change != nil && w.change(s, i):
				wrong.Append(&rows, s.start[i], &rec)
			default:
				right.Append(&rows, s.start[i], &rec)
			}
		}
	}
	w.put(&rows)
}

func (w *world) put(rows *schema.Rows) {
	w.t.Helper()
	if err := w.table.Put(w.t.Context(), rows); err != nil {
		w.t.Fatal(err)
	}
	if err := w.table.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) config() Config {
	return Config{Table: w.table, Archive: w.archive, Pattern: w.pattern, Checkpoint: w.checkpoint, Host: "web01", Named: 5, Quarantine: w.quarantine}
}

func (w *world) audit() *Report {
	w.t.Helper()
	report, err := Run(w.t.Context(), w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

func (w *world) repair() *Report {
	w.t.Helper()
	report, err := Repair(w.t.Context(), w.config(), w.archive, w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "repair-*"))
	if err != nil || len(left) > 0 {
		w.t.Errorf("left behind: %v, %v", left, err)
	}
	return report
}

// catalog reads the present archive.
func (w *world) catalog() *index.Catalog {
	w.t.Helper()
	c, err := index.Read(w.t.Context(), w.archive, w.pattern, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// path returns the path of a file of the archive.
func (w *world) path(name string) string {
	return filepath.Join(w.dir, "archive", filepath.FromSlash(name))
}

// edit changes a file of the archive.
func (w *world) edit(name string, change func([]byte) []byte) {
	w.t.Helper()
	b, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), change(b), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// kinds returns the number of differences of each kind, as text.
func kindsOf(r *Report) string {
	var total [kinds]int64
	for _, s := range r.Streams {
		for k, n := range s.Counts {
			total[k] += n
		}
	}
	var parts []string
	for k, n := range total {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", Kind(k), n))
		}
	}
	if len(r.Files) > 0 {
		parts = append(parts, fmt.Sprintf("files %d", len(r.Files)))
	}
	return strings.Join(parts, ", ")
}

func named(r *Report) string {
	var b strings.Builder
	for _, s := range r.Streams {
		fmt.Fprintln(&b, s)
		for _, d := range s.Named {
			fmt.Fprintln(&b, "   ", d)
		}
	}
	for _, f := range r.Files {
		fmt.Fprintln(&b, f)
	}
	for _, l := range r.Repairs.Left {
		fmt.Fprintln(&b, "left:", l)
	}
	return b.String()
}
