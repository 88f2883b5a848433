package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/archive/index"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// secondFile is a file in the middle of the archive.
const secondFile = "20260902/web01/access.c1-000003.log.gz"

// damage is a way in which log, archive and table can differ.
type damage struct {
	name string
	// do damages; table damages must come before the table is filled.
	do func(w *world)
	// want is what is found if nothing else is damaged.
	want string
	// stays is what a repair leaves, "" for nothing.
	stays string
	// file is the number of the archive file that it is in, or whose lines: of two
	// damages in one place one may hide the other.
	file int
}

var damages = []damage{
	{"a row deleted", func(w *world) {
		w.drop = func(s *worldStream, line int) bool { return s == w.streams[0] && line == 33 }
	}, "row missing 1", "", 0},
	{"a cell changed", func(w *world) {
		w.change = func(s *worldStream, line int) bool { return s == w.streams[1] && line == 44 }
	}, "row different 1", "", 0},
	{"a member removed", func(w *world) { w.rewrite(secondFile, 1, 2, 3, 4, 5) }, "archive lacks 1", "", 3},
	{"a range doubled in its file", func(w *world) { w.rewrite("20260901/web01/access.c1-000001.log.gz", 0, 1, 2, 3, 4, 5, 2) }, "archive holds twice 1", "", 1},
	{"a file doubled", func(w *world) {
		b, err := os.ReadFile(w.path("20260903/web01/access.c1-000005.log.gz"))
		if err == nil {
			err = os.WriteFile(w.path("20260903/web01/access.c2-000009.log.gz"), b, 0o600)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}, "archive holds twice 2", "", 5},
	{"a byte of the archive changed", func(w *world) {
		m := w.catalog().Members[7]
		w.edit("20260901/web01/access.c1-000002.log.gz", func(b []byte) []byte { b[m.End()-30] ^= 1; return b })
	}, "archive damaged 1", "", 2},
	{"a header changed", func(w *world) {
		w.edit("20260903/web01/access.c1-000006.log.gz", func(b []byte) []byte { b[30] ^= 1; return b })
	}, "archive lacks 1, files 1", "", 6},
	{"a byte of the log changed", func(w *world) {
		s := w.streams[1]
		f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte("#"), s.start[100]+20)
		}
		if err != nil || f.Close() != nil {
			w.t.Fatal(err)
		}
	}, "log different 1", "log different 1", 4},
	{"the log cut", func(w *world) {
		s := w.streams[0]
		if err := os.Truncate(s.path, s.start[170]); err != nil {
			w.t.Fatal(err)
		}
	}, "log short 1", "log short 1", 6},
	{"a file missing", func(w *world) {
		if err := os.Remove(w.path("20260902/web01/access.c1-000004.log.gz")); err != nil {
			w.t.Fatal(err)
		}
	}, "archive lacks 2", "", 4},
	{"the last file missing", func(w *world) {
		if err := os.Remove(w.path("20260903/web01/access.c1-000006.log.gz")); err != nil {
			w.t.Fatal(err)
		}
	}, "archive lacks 2", "", 6},
	{"the first file missing", func(w *world) {
		if err := os.Remove(w.path("20260901/web01/access.c1-000001.log.gz")); err != nil {
			w.t.Fatal(err)
		}
	}, "archive begins later 2", "", 1},
}

// rewrite writes a file of the archive again, with only these of its members.
func (w *world) rewrite(name string, members ...int) {
	w.t.Helper()
	c := w.catalog()
	r := c.NewReader()
	seg, err := segment.Create(vfs.OS{}, filepath.Join(w.dir, "rewritten.gz"))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range c.Files {
		f := &c.Files[i]
		for _, m := range members {
			if f.Name != name {
				break
			}
			m := &c.Members[f.First+m]
			src, err := r.Segment(w.t.Context(), m)
			if err == nil {
				_, err = seg.Copy(src, m.Member, &w.checkpoint.Stream(m.Stream).StreamEntry)
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
	sealed, err := seg.Seal()
	if err == nil {
		err = r.Close()
	}
	if err == nil {
		err = os.Rename(sealed, w.path(name))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestIntactDataHasNoDifferences(t *testing.T) {
	w := newWorld(t)
	w.fillTable()
	report := w.audit()
	if report.Differences() > 0 {
		t.Fatal(named(report))
	}
	for _, s := range report.Streams {
		if s.LinesRead != worldDays*worldLines || s.Rows != s.LinesRead || s.LogBytes != s.Stored || s.ArchiveBytes != s.Stored || s.Unread+s.InFlight+s.Later+s.Quarantined != 0 {
			t.Errorf("%+v", s)
		}
	}
	if repaired := w.repair(); repaired.Differences() > 0 || !nothingDone(&repaired.Repairs) {
		t.Errorf("repaired %+v", repaired.Repairs)
	}
}

func TestEveryLayoutIsCompared(t *testing.T) {
	few := schema.Layout{Name: schema.LayoutTyped, Family: "l", Salts: 3, Cells: []string{"status", "path"}}
	flume, err := schema.NewLayout(schema.LayoutFlume)
	if err != nil {
		t.Fatal(err)
	}
	for _, layout := range []schema.Layout{few, flume} {
		w := newWorld(t)
		w.layout = &layout
		damages[0].do(w)
		w.fillTable()
		if got := kindsOf(w.audit()); got != "row missing 1" {
			t.Errorf("%s: found %s", layout.Name, got)
		}
		w.repair()
		if report := w.audit(); report.Differences() > 0 {
			t.Errorf("%s: %s", layout.Name, named(report))
		}
	}
}

func nothingDone(r *Repairs) bool {
	return r.Rows+r.Streams == 0 && len(r.Restored)+len(r.Rewritten)+len(r.Removed)+len(r.Left) == 0
}

func TestEachDamageIsFoundNamedAndRepaired(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) { testDamages(t, d) })
	}
}

func TestTwoDamagesAreFoundAndRepaired(t *testing.T) {
	for i, a := range damages {
		for _, b := range damages[i+1:] {
			if a.file == b.file && a.file > 0 {
				continue
			}
			t.Run(a.name+" and "+b.name, func(t *testing.T) { testDamages(t, a, b) })
		}
	}
}

func testDamages(t *testing.T, damages ...damage) {
	t.Parallel()
	w := newWorld(t)
	for _, d := range damages {
		d.do(w)
	}
	w.fillTable()
	found := w.audit()
	if len(damages) == 1 && kindsOf(found) != damages[0].want {
		t.Errorf("found %s, want %s\n%s", kindsOf(found), damages[0].want, named(found))
	}
	for _, d := range damages {
		for kind := range strings.SplitSeq(d.want, ", ") {
			kind = kind[:strings.LastIndexByte(kind, ' ')]
			if !strings.Contains(kindsOf(found), kind) {
				t.Errorf("not found: %s of %s; only %s", kind, d.name, kindsOf(found))
			}
		}
	}
	repaired := w.repair()
	if kindsOf(repaired) != kindsOf(found) {
		t.Errorf("the repair found %s, the audit %s", kindsOf(repaired), kindsOf(found))
	}
	var stays []string
	for _, d := range damages {
		if d.stays != "" {
			stays = append(stays, d.stays)
		}
	}
	after := w.audit()
	if got := kindsOf(after); got != strings.Join(stays, ", ") {
		t.Errorf("after the repair: %s, want %s\n%s%s", got, strings.Join(stays, ", "), named(repaired), named(after))
	}
	problems := 0
	if err := w.catalog().Verify(t.Context(), w.pattern, func(p index.Problem) { problems++; t.Log(p) }); err != nil || problems > 0 {
		t.Errorf("the archive has %d problems, %v", problems, err)
	}
}

func TestEachDifferenceIsReported(t *testing.T) {
	w := newWorld(t)
	damages[0].do(w)
	damages[1].do(w)
	damages[7].do(w)
	w.fillTable()
	text := named(w.audit())
	for _, want := range []string{
		fmt.Sprintf("row missing: bytes [%d,", w.streams[0].start[33]),
		fmt.Sprintf("row different: bytes [%d,", w.streams[1].start[44]),
		`cell host is "web02", expected from the line: "web01"`,
		fmt.Sprintf("log different: bytes [%d,", w.streams[1].start[100]),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not named: %s\n%s", want, text)
		}
	}
}

// Lines that no log has any more cannot be repaired: nothing is changed, and a hint says what to do.
func TestLinesThatNoLogHasAreNotRepaired(t *testing.T) {
	for _, i := range []int{2, 5, 6, 9} {
		d := damages[i]
		t.Run(d.name, func(t *testing.T) {
			w := newWorld(t)
			d.do(w)
			w.fillTable()
			for _, s := range w.streams {
				if err := os.Remove(s.path); err != nil {
					t.Fatal(err)
				}
			}
			found, repaired, after := w.audit(), w.repair(), w.audit()
			if kindsOf(found) != d.want || kindsOf(after) != d.want {
				t.Errorf("found %s, and %s after the repair; want %s", kindsOf(found), kindsOf(after), d.want)
			}
			if len(repaired.Repairs.Left) == 0 || repaired.Repairs.Rows > 0 || len(repaired.Repairs.Rewritten) > 0 {
				t.Errorf("repaired %+v", repaired.Repairs)
			}
		})
	}
}

// One of two copies is damaged, in the first file or in the second: the intact copy is kept and used.
func TestTheIntactOneOfTwoCopiesIsKept(t *testing.T) {
	for _, second := range []string{"20260901/web01/access.c0-000002.log.gz", "20260901/web01/access.c2-000002.log.gz"} {
		w := newWorld(t)
		m := w.catalog().Members[7]
		b, err := os.ReadFile(w.path("20260901/web01/access.c1-000002.log.gz"))
		if err == nil {
			err = os.WriteFile(w.path(second), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.edit("20260901/web01/access.c1-000002.log.gz", func(b []byte) []byte { b[m.End()-30] ^= 1; return b })
		w.fillTable()
		for _, s := range w.streams {
			if err := os.Remove(s.path); err != nil {
				t.Fatal(err)
			}
		}
		if got := kindsOf(w.audit()); !strings.Contains(got, "archive holds twice") || !strings.Contains(got, "archive damaged 1") {
			t.Errorf("found %s", got)
		}
		repaired := w.repair()
		if after := w.audit(); after.Differences() > 0 || len(repaired.Repairs.Left) > 0 {
			t.Errorf("%s%s", named(repaired), named(after))
		}
	}
}

// If a log was changed and the archive has lost its lines, the table shows that the log differs.
// Repair must then not archive the changed log: nothing is written, and both are reported.
func TestALogThatTheTableContradictsIsNotTakenForTheArchive(t *testing.T) {
	for _, column := range []int64{2, 20} { // the client; the time, which is in the key
		w := newWorld(t)
		s := w.streams[1]
		f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte("9"), s.start[100]+column)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		if err := os.Remove(w.path("20260902/web01/access.c1-000004.log.gz")); err != nil {
			t.Fatal(err)
		}
		w.fillTable()
		before, repaired, after := w.audit(), w.repair(), w.audit()
		if repaired.Repairs.Rows != 0 || len(repaired.Repairs.Restored) != 1 || len(repaired.Repairs.Left) == 0 {
			t.Errorf("repaired %+v", repaired.Repairs)
		}
		if want := strings.Replace(kindsOf(before), "archive lacks 2", "archive lacks 1", 1); kindsOf(after) != want || !strings.Contains(want, "row ") {
			t.Errorf("after the repair: %s, want %s", kindsOf(after), want)
		}
	}
}

func TestARowOfNoLineIsNamedAndKept(t *testing.T) {
	w := newWorld(t)
	w.fillTable()
	var rows schema.Rows
	var rec schema.Record
	rec.Reset([]byte("x"), nil)
	e := w.table.Layout().NewRowEncoder(&w.streams[0].StreamEntry.Stream, nil)
	e.Append(&rows, w.streams[0].start[3]+1, &rec)
	e = w.table.Layout().NewRowEncoder(&schema.Stream{ID: 99}, nil)
	e.Append(&rows, 5, &rec)
	w.put(&rows)
	if got := kindsOf(w.audit()); got != "row of no line 2" {
		t.Errorf("found %s", got)
	}
	if r := w.repair(); len(r.Repairs.Left) != 2 {
		t.Errorf("left %v", r.Repairs.Left)
	}
}

func TestWhatIsNotStoredYetIsNoDifference(t *testing.T) {
	const last = "20260903/web01/access.c1-000006.log.gz" // lines 150 to 179 of both
	for _, archived := range []bool{false, true} {
		w := newWorld(t)
		for _, s := range w.streams {
			s.Stored = s.start[150]
		}
		s := w.streams[0]
		w.drop = func(x *worldStream, line int) bool { return line > 160 }
		spool := filepath.Join(w.dir, "spool[1]") // no glob
		spooled := filepath.Join(spool, "web01", "20260903-6.gz")
		if archived { // and not committed
			if err := os.MkdirAll(filepath.Dir(spooled), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Link(w.path(last), spooled); err != nil {
				t.Fatal(err)
			}
		} else {
			if err := os.Remove(w.path(last)); err != nil {
				t.Fatal(err)
			}
			seg, err := segment.Create(vfs.OS{}, spooled)
			if err != nil {
				t.Fatal(err)
			}
			w.append(seg, s, 150, 10)
			if err := seg.Close(); err != nil {
				t.Fatal(err)
			}
		}
		before, err := Look(t.Context(), w.archive, spool)
		if err != nil {
			t.Fatal(err)
		}
		w.fillTable()
		cfg := w.config()
		cfg.Before = before
		report, err := Run(t.Context(), cfg)
		if err != nil || report.Differences() > 0 {
			t.Fatalf("archived %v: %v\n%s", archived, err, named(report))
		}
		got := report.Streams[slices.IndexFunc(report.Streams, func(r *Stream) bool { return r.ID == s.ID })]
		inFlight := s.start[160] - s.start[150]
		if archived {
			inFlight = got.LogBytes - s.start[150]
		}
		if got.InFlight != inFlight || got.Unread != got.LogBytes-s.start[150]-inFlight || got.Later != 11 {
			t.Errorf("archived %v: %s", archived, got)
		}
	}
}

// A table that was restored from an old copy has fewer lines, as its own streams show.
func TestATableBehindItsArchiveIsFoundAndRepaired(t *testing.T) {
	w := newWorld(t)
	stored := w.streams[0].Stored
	for _, s := range w.streams {
		s.Stored = s.start[100]
	}
	w.drop = func(x *worldStream, line int) bool { return line >= 100 }
	w.fillTable()
	if got := kindsOf(w.audit()); got != "row missing 160" {
		t.Errorf("found %s", got)
	}
	if r := w.repair().Repairs; r.Rows != 160 || r.Streams != 2 {
		t.Errorf("repaired %+v", r)
	}
	if report := w.audit(); report.Differences() > 0 || report.Streams[0].StreamEntry.Stored != stored {
		t.Errorf("%s", named(report))
	}
}

func TestAQuarantinedRowCountsAsStored(t *testing.T) {
	w := newWorld(t)
	w.fillTable()
	s := w.streams[0]
	w.quarantine = map[string][]schema.Cell{}
	for row, err := range w.table.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Stream == s.ID && (row.Offset == s.start[20] || row.Offset == s.start[21]) {
			var cells []schema.Cell
			for _, c := range row.Cells {
				cells = append(cells, schema.Cell{Qualifier: c.Qualifier, Value: slices.Clone(c.Value)})
			}
			w.quarantine[string(row.Key)] = cells
		}
	}
	if report := w.audit(); report.Differences() > 0 || len(w.quarantine) != 2 {
		t.Errorf("rows that were stored although they were rejected: %s", named(report))
	}
	w.drop = func(x *worldStream, line int) bool { return x == s && (line == 20 || line == 21) }
	w.fillTable()
	report := w.audit()
	if report.Differences() > 0 || report.Streams[0].Quarantined+report.Streams[1].Quarantined != 2 {
		t.Errorf("%s", named(report))
	}
}

// If old files were deleted on purpose, only later lines are compared.
func TestLinesBeforeFromAreNotMissed(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"1.log.gz", "2.log.gz"} {
		if err := os.Remove(w.path("20260901/web01/access.c1-00000" + name)); err != nil {
			t.Fatal(err)
		}
	}
	w.fillTable()
	for _, s := range w.streams {
		if err := os.Remove(s.path); err != nil {
			t.Fatal(err)
		}
	}
	if got := kindsOf(w.audit()); got != "archive begins later 2" {
		t.Errorf("without --from: %s", got)
	}
	cfg := w.config()
	cfg.From = 1_788_300_000_000_000_000 // 2026-09-01 22:00 UTC
	report, err := Run(t.Context(), cfg)
	if err != nil || report.Differences() > 0 || report.Streams[0].LinesRead != 2*worldLines {
		t.Errorf("%v\n%s", err, named(report))
	}
	cfg.From -= 24 * 3600 * 1_000_000_000
	if report, err = Run(t.Context(), cfg); err != nil || kindsOf(report) != "archive begins later 2" {
		t.Errorf("%v\n%s", err, named(report))
	}
}

// TestARemovedLabelIsNotInTheTable: HBase keeps the label's cell in the row of the directory.
func TestARemovedLabelIsNotInTheTable(t *testing.T) {
	w := newWorld(t)
	w.fillTable()
	id := w.streams[0].ID
	w.checkpoint.Update(func() { w.streams[0].Labels = map[string]string{"team": "a"} })
	a, err := newAudit(t.Context(), w.config())
	if err != nil {
		t.Fatal(err)
	}
	if got := a.streams[id]; !got.inDirectory || len(got.Labels) != 1 || got.Labels["team"] != "a" {
		t.Errorf("in the directory %v, labels %v", got.inDirectory, got.Labels)
	}
}
