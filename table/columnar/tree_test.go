package columnar_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/archive"
	"sluice/archive/localdir"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// line is a line with its expected position and content.
type line struct {
	time   int64
	stream schema.StreamID
	offset int64
	text   string
}

func compareLines(a, b line) int {
	return schema.RowOrder{Time: a.time, Stream: a.stream, Offset: a.offset}.Compare(schema.RowOrder{Time: b.time, Stream: b.stream, Offset: b.offset})
}

// testLog generates a log as it is read.
type testLog struct {
	stream schema.Stream
	rng    *rand.Rand
	format *parse.Format
	rec    schema.Record
	offset int64
	at     time.Time
	step   time.Duration
}

// firstTime is the time of the first lines.
var firstTime = time.Date(2026, 9, 3, 7, 0, 0, 0, time.UTC)

func newTestLog(t testing.TB, host string, seed uint64, format string) *testLog {
	t.Helper()
	f, err := parse.Lookup(format, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{
		stream: schema.Stream{ID: schema.NewStreamID(host, 1, seed, nil), Host: host, Path: fmt.Sprintf("/var/log/%d.log", seed), Format: format},
		rng:    rand.New(rand.NewPCG(seed, 5)), format: f, at: firstTime, step: time.Second,
	}
}

// batch generates the next n lines.
func (l *testLog) batch(n int) (schema.Batch, []line) {
	start := l.offset
	var data bytes.Buffer
	var lines []line
	for range n {
		text := l.line()
		l.format.Parse([]byte(text), &l.rec)
		lines = append(lines, line{l.rec.Time, l.stream.ID, l.offset, text})
		l.offset += int64(len(text)) + 1
		data.WriteString(text + "\n")
	}
	return schema.Batch{Stream: &l.stream, Range: schema.Range{Start: start, End: l.offset}, Data: data.Bytes(), Lines: n}, lines
}

// line generates the next line: usually valid, sometimes with errors.
func (l *testLog) line() string {
	l.at = l.at.Add(time.Duration(l.rng.Int64N(int64(2*l.step))) - l.step/4)
	text := fmt.Sprintf("10.0.%d.%d - - [%s] \"GET /%d?q=%d HTTP/1.1\" %d %d", l.rng.IntN(4), l.rng.IntN(256),
		l.at.Format("02/Jan/2006:15:04:05 -0700"), l.rng.IntN(50), l.rng.IntN(9), 200+100*l.rng.IntN(4), l.rng.IntN(10000))
	if l.stream.Format == "combined" {
		text += ` "-" "Mozilla/5.0"`
	}
	switch l.rng.IntN(40) {
	case 0:
		return "no line of this format \xff\xfe"
	case 1:
		return ""
	case 2:
		return text + " and more"
	case 3:
		return strings.Replace(text, "GET", "G\\xe9T", 1)
	}
	return text
}

// tree is a table in a directory, with its expected content.
type tree struct {
	testing.TB
	root, spool string
	store       archive.Archive
	table       *columnar.Table
	want        []line
	seq         uint64
	encoder     *segment.Encoder
	groupRows   int // rows of a row group in files
}

func newTree(t testing.TB) *tree {
	t.Helper()
	dir := t.TempDir()
	x := &tree{TB: t, root: filepath.Join(dir, "table"), spool: filepath.Join(dir, "spool"), groupRows: 512}
	var err error
	if x.store, err = localdir.Open(x.root, "test"); err != nil {
		t.Fatal(err)
	}
	if x.encoder, err = segment.NewEncoder(1); err != nil {
		t.Fatal(err)
	}
	x.useStore(x.store)
	return x
}

// useStore makes the tree use another store.
func (x *tree) useStore(store archive.Archive) {
	x.store, x.table = store, columnar.OpenTable(store, columnar.TableOptions{Spool: x.spool})
}

// segment creates a segment in the spool.
func (x *tree) segment(host string) *segment.Writer {
	x.Helper()
	x.seq++
	n := segment.Name{Host: host, Period: "20260903", Seq: x.seq}
	w, err := segment.Create(vfs.OS{}, filepath.Join(x.spool, n.String()))
	if err != nil {
		x.Fatal(err)
	}
	return w
}

func (x *tree) append(w *segment.Writer, b schema.Batch) {
	x.Helper()
	if _, err := w.Append(x.encoder, b); err != nil {
		x.Fatal(err)
	}
}

func (x *tree) seal(w *segment.Writer) (path string) {
	x.Helper()
	path, err := w.Seal()
	if err != nil {
		x.Fatal(err)
	}
	return path
}

// nameOf returns the name in the tree for the path of a segment in the spool.
func nameOf(segmentPath string) string {
	host, base := filepath.Base(filepath.Dir(segmentPath)), filepath.Base(segmentPath)
	day, seq, _ := strings.Cut(strings.TrimSuffix(base, ".gz"), "-")
	return path.Join("day="+day, "host="+host, "access.test-"+seq+columnar.Suffix)
}

// put stores the columns of a sealed segment in the tree.
func (x *tree) put(segmentPath string) string {
	x.Helper()
	in, err := os.Open(segmentPath)
	if err != nil {
		x.Fatal(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		x.Fatal(err)
	}
	local := filepath.Join(x.TempDir(), "columns"+columnar.Suffix)
	out, err := os.Create(local)
	if err != nil {
		x.Fatal(err)
	}
	name := nameOf(segmentPath)
	_, err = columnar.FromSegment(x.Context(), in, info.Size(), out, columnar.WriterOptions{Segment: path.Base(name), RowGroupRows: x.groupRows}, columnar.EncoderOptions{})
	if err == nil {
		err = out.Close()
	}
	if err == nil {
		err = x.store.Store(x.Context(), local, name)
	}
	if err != nil {
		x.Fatal(err)
	}
	return name
}

// storeBatches writes batches to a segment and moves it into the tree.
func (x *tree) storeBatches(host string, batches ...schema.Batch) string {
	x.Helper()
	w := x.segment(host)
	for _, b := range batches {
		x.append(w, b)
	}
	path := x.seal(w)
	name := x.put(path)
	if err := os.Remove(path); err != nil {
		x.Fatal(err)
	}
	return name
}

// fill stores n segments for each of several logs of two hosts, and records their lines.
func (x *tree) fill(n, batches, lines int) []*testLog {
	x.Helper()
	logs := []*testLog{newTestLog(x, "web01", 1, "combined"), newTestLog(x, "web01", 2, "common"), newTestLog(x, "web02", 3, "combined")}
	for range n {
		for _, host := range []string{"web01", "web02"} {
			var list []schema.Batch
			for range batches {
				for _, l := range logs {
					if l.stream.Host != host {
						continue
					}
					b, want := l.batch(lines)
					list = append(list, b)
					x.want = append(x.want, want...)
				}
			}
			x.storeBatches(host, list...)
		}
	}
	return logs
}

func (x *tree) snapshot(b columnar.Bounds) *columnar.Snapshot {
	x.Helper()
	s, err := x.table.Snapshot(x.Context(), b)
	if err != nil {
		x.Fatal(err)
	}
	return s
}

// scan returns the result of a scan.
func (x *tree) scan(s *columnar.Snapshot, scan schema.Scan) []line {
	x.Helper()
	var got []line
	for row, err := range s.Scan(x.Context(), scan) {
		if err != nil {
			x.Fatal(err)
		}
		text, _ := row.Cell(schema.LogbodyField)
		got = append(got, line{row.Time, row.Stream, row.Offset, string(text)})
	}
	return got
}

// expected returns the expected result of a scan.
func (x *tree) expected(scan schema.Scan) []line {
	var want []line
	for _, l := range x.want {
		if l.time < scan.From || scan.To > 0 && l.time >= scan.To || scan.Streams != nil && !slices.Contains(scan.Streams, l.stream) {
			continue
		}
		want = append(want, l)
	}
	slices.SortFunc(want, compareLines)
	if scan.Reverse {
		slices.Reverse(want)
	}
	if scan.Limit > 0 && len(want) > scan.Limit {
		want = want[:scan.Limit]
	}
	return want
}

func (x *tree) same(got, want []line, what string) {
	x.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			x.Fatalf("%s: row %d is\n%+v, want\n%+v (of %d and %d)", what, i, got[i], want[i], len(got), len(want))
		}
	}
	if len(got) != len(want) {
		x.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
}

// expect compares a scan of a new snapshot, and its batches, with the expected lines.
func (x *tree) expect(scan schema.Scan) {
	x.Helper()
	s := x.snapshot(columnar.Bounds{From: scan.From, To: scan.To})
	defer s.Close()
	x.same(x.scan(s, scan), x.expected(scan), fmt.Sprintf("scan %+v", scan))
	scan.Limit, scan.Reverse = 0, false
	x.same(x.batches(s, columnar.Want{From: scan.From, To: scan.To, Streams: scan.Streams}), x.expected(scan), fmt.Sprintf("batches %+v", scan))
}

// batches returns the rows of Batches, sorted.
func (x *tree) batches(s *columnar.Snapshot, w columnar.Want) []line {
	x.Helper()
	found := make([][]line, columnar.Workers())
	err := s.Batches(x.Context(), w, func(worker int, b *columnar.Batch, rows columnar.Selection) error {
		times, offsets := b.Column(schema.TimeField), b.Column(schema.OffsetField)
		for i := range b.Rows {
			if !rows.Has(i) {
				continue
			}
			text, err := b.Line(nil, i)
			if err != nil {
				return err
			}
			s, err := b.Stream(i)
			if err != nil {
				return err
			}
			l := line{stream: s.Stream.ID, offset: offsets.Ints[i], text: string(text)}
			if times != nil && !times.Null(i) {
				l.time = times.Ints[i]
			}
			found[worker] = append(found[worker], l)
		}
		return nil
	})
	if err != nil {
		x.Fatal(err)
	}
	all := slices.Concat(found...)
	slices.SortFunc(all, compareLines)
	return all
}

// files returns the names of the files in the tree.
func (x *tree) files() []string {
	x.Helper()
	list, err := x.store.List(context.Background())
	if err != nil {
		x.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name)
	}
	return names
}
