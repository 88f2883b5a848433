package query

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/sample"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// columnsLog is a log of a test: its lines and how they are read.
type columnsLog struct {
	stream schema.Stream
	format *parse.Format
	lines  []string
}

func newColumnsLog(t testing.TB, path, format string, lines ...string) columnsLog {
	t.Helper()
	f, err := parse.Lookup(format, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return columnsLog{schema.Stream{ID: schema.NewStreamID("web01", 1, 2, []byte(path)), Host: "web01", Path: path, Format: format}, f, lines}
}

// entries calls fn with each line.
func (l *columnsLog) entries(fn func(e *schema.Entry)) {
	var rec schema.Record
	at := int64(0)
	for _, line := range l.lines {
		l.format.Parse([]byte(line), &rec)
		fn(&schema.Entry{Stream: &l.stream, Offset: at, Record: &rec})
		at += int64(len(line)) + 1
	}
}

// chunk is the log as columns.
func (l *columnsLog) chunk(t testing.TB, o columnar.EncoderOptions) (c *columnar.Chunk, end int64, bad int) {
	t.Helper()
	e, err := columnar.NewEncoder(&l.stream, nil, l.format, o)
	if err != nil {
		t.Fatal(err)
	}
	c = new(columnar.Chunk)
	l.entries(func(entry *schema.Entry) {
		e.Append(c, entry.Offset, entry.Record)
		end = entry.Offset + int64(len(entry.Record.Line)) + 1
		if entry.Record.Err.Set() {
			bad++
		}
	})
	return c, end, bad
}

// columnsFile writes the logs as a file and opens it.
func columnsFile(t testing.TB, o columnar.EncoderOptions, groupRows int, logs ...columnsLog) *columnar.File {
	t.Helper()
	var out bytes.Buffer
	w := columnar.NewWriter(&out, columnar.WriterOptions{Segment: "s", RowGroupRows: groupRows})
	for i := range logs {
		c, end, bad := logs[i].chunk(t, o)
		if err := w.Append(&logs[i].stream, nil, schema.Range{End: end}, bad, c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := columnar.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// hostileLogs have several formats, names of two kinds, fields that have the names of others, and
// values that a file does not store unchanged.
func hostileLogs(t testing.TB, rnd *rand.Rand) []columnsLog {
	combined := []string{
		"raw \xff bytes, no line at all", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /\xff HTTP/1.1" 200 5 "-" "\xfe"`,
		`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /\\xff HTTP/1.1" 200 5 "-" "\\xfe"`,
		"10.0.0.1 - - [17/May/2015:10:05:03 +0000] \"GET /\xff?a=\xff HTTP/1.1\" 200 5 \"-\" \"\xfe\"",
		`::1 - "" [17/May/2015:12:05:03 +0200] "GET /a\x3fb?c?d HTTP/1.1" 404 - "" "-"`, `- - - [-] "-" - - "-" "-"`,
		`fe80::1%eth0 - a b [18/May/2015:10:05:03 -0330] "POST /?x HTTP/1.0" 503 0 "r" "x"`, `h.example - - [18/May/2015:10:05:03 -0330] "\x16\x03" 400 0 "-" "-"`,
		`::ffff:10.0.0.1 - - [18/May/2015:23:59:59 +0000] "get / HTTP/1.1" 999 12345678901 "-" "-"`, ``, `10.0.0.1`,
	}
	var log bytes.Buffer
	if err := sample.Write(&log, rnd.Uint64(), 600); err != nil {
		t.Fatal(err)
	}
	sampled := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	for range 300 {
		line := []byte(sampled[rnd.IntN(len(sampled))])
		line[rnd.IntN(len(line))] = "\"\\ \xff?x-"[rnd.IntN(7)]
		combined = append(combined, string(line))
	}
	combined = append(combined, sampled...)
	rnd.Shuffle(len(combined), func(i, j int) { combined[i], combined[j] = combined[j], combined[i] })
	return []columnsLog{
		newColumnsLog(t, "/a.log", "combined", combined...),
		newColumnsLog(t, "/b\\x.log", `%h %t "%r" %>s %U %D`, `10.0.0.2 [17/May/2015:10:05:03 +0000] "GET /u?v HTTP/1.1" 200 /U?w 55`, `10.0.0.2 [17/May/2015:11:05:03 +0000] "GET /\xff HTTP/1.1" 302 - 7`, "x"),
		newColumnsLog(t, "/c.log", `pattern:(?P<client>\S+) (?P<hour>\S+) (?P<file>\S+) (?P<status>\d+)`, "10.0.0.3 12345678 f\\xff 404", "10.0.0.3 h \xff 200"),
		newColumnsLog(t, "/d.log", "common", `10.0.0.4 - - [17/May/2015:10:05:03 +0000] "GET /d HTTP/1.1" 200 5`),
		newColumnsLog(t, "/e.log", `pattern:(?P<bytes_text>\S+) (?P<offset>\S+) (?P<zone>\S+)`, "a b c", "1 2 3"),
		newColumnsLog(t, "/f.log", `pattern:(?P<offset_int>\S+) (?P<offset_text>\S+) (?P<zone_text>\S+)`, "o p q", "1 2 3"),
	}
}

var questionNames = []string{"client", "user", "time", "method", "path", "protocol", "query", "request", "status", "bytes", "referer", "agent",
	"host", "file", "stream", "offset", "parse_error", "logbody", "url_path", "status_class", "hour", "day", "duration_us", "zone", "bytes_text", "offset_int", "offset_text", "zone_text"}

var questionFilters = []string{
	"status = 5xx", "status != 404", "status >= 400 and not path starts with /a", "client in 10.0.0.0/8", "client = ::1", "client = h.example", "client is null",
	`agent contains "\xfe" or agent contains "\\xfe"`, `path =~ "\\\\x"`, "query is not null", "query = x or query = v", "url_path = / or status_class = 4xx", "bytes > 1000 or bytes is null",
	"time >= 2015-05-17T11:00:00Z", `time contains "+02"`, "parse_error is not null", `logbody contains "HTTP/1.0"`, "host = web01", "file starts with /a", "offset < 5000",
	"not (user is null) and not (method = GET)", "status contains 0", "request contains x", "hour = 12345678", "bytes_text = 1", "status_class is null", "stream = 0000000000000000",
	`referer = "" and not (status = 200 or status = 302)`, "duration_us <= 55", "zone = c", `path = ""`, "bytes < 100 and time is null",
}

// anyQuestion returns a random question and filter of the names and filters above.
func anyQuestion(t testing.TB, rnd *rand.Rand, formats [][]schema.Field) (Question, *schema.Filter) {
	t.Helper()
	pick := func() string { return questionNames[rnd.IntN(len(questionNames))] }
	for {
		q := Question{}
		if rnd.IntN(3) > 0 {
			q.Zone = time.FixedZone("", 5*3600)
		}
		switch rnd.IntN(6) {
		case 0:
		case 1:
			q.Every = 6 * time.Hour
		default:
			for range 1 + rnd.IntN(3) {
				q.By = append(q.By, pick())
			}
		}
		for range rnd.IntN(4) {
			op := []Operation{Sum, Avg, Min, Max, Distinct, Distinct, Quantile}[rnd.IntN(7)]
			q.Measures = append(q.Measures, Measure{op, pick(), float64(rnd.IntN(11)) / 10})
		}
		if rnd.IntN(3) == 0 {
			q.Limit = 1 + rnd.IntN(20)
		}
		if columns, _ := q.columns(); rnd.IntN(3) == 0 {
			if err := q.ParseOrder(columns[rnd.IntN(len(columns))]); err != nil {
				t.Fatal(err)
			}
		}
		if q.Check(formats...) != nil {
			continue
		}
		var f *schema.Filter
		for range rnd.IntN(3) {
			next, err := Parse(questionFilters[rnd.IntN(len(questionFilters))], testNow, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(4) == 0 {
				next = not(next)
			}
			f = join([]schema.Op{schema.And, schema.Or}[rnd.IntN(2)], slices.DeleteFunc([]*schema.Filter{f, next}, func(f *schema.Filter) bool { return f == nil }))
		}
		if _, err := Compile(f, formats...); err != nil {
			continue
		}
		return q, f
	}
}

// byColumns answers a question over row groups of files and over a batch in memory.
func byColumns(t testing.TB, rnd *rand.Rand, q Question, f *schema.Filter, formats [][]schema.Field, files []*columnar.File, fresh []columnsLog) Report {
	t.Helper()
	c, err := NewColumns(q, f, 2, formats...)
	if err != nil {
		t.Fatal(err)
	}
	if rnd.IntN(2) == 0 { // as where there are many groups
		for _, w := range c.workers {
			w.direct = 0
		}
	}
	var b columnar.Batch
	add := func(rows columnar.Selection) {
		if err := c.Add(rnd.IntN(2), &b, rows); err != nil {
			t.Fatalf("%+v %v: %v", q, f, err)
		}
	}
	for _, file := range files {
		for g := range file.Groups() {
			if err := file.Read(g, c.Names(), &b); err != nil {
				t.Fatal(err)
			}
			all := columnar.Selection(nil)
			if rnd.IntN(2) == 0 { // the even and the odd rows, each for itself
				all = make(columnar.Selection, (b.Rows+63)/64)
				for i := range all {
					all[i] = 0x5555555555555555
				}
				if rest := b.Rows & 63; rest != 0 {
					all[len(all)-1] &= 1<<rest - 1
				}
				add(all)
				for i := range all {
					all[i] = ^all[i]
				}
				if rest := b.Rows & 63; rest != 0 {
					all[len(all)-1] &= 1<<rest - 1
				}
			}
			add(all)
		}
	}
	var chunks []*columnar.Chunk
	for i := range fresh {
		chunk, _, _ := fresh[i].chunk(t, columnar.EncoderOptions{})
		chunks = append(chunks, chunk)
	}
	if err := b.FromChunks(chunks...); err != nil {
		t.Fatal(err)
	}
	add(nil)
	a, err := c.Answer()
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Report()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestColumnsAnswerAsEntriesDo answers random questions over the same rows in both ways.
func TestColumnsAnswerAsEntriesDo(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	logs := hostileLogs(t, rnd)
	var formats, some [][]schema.Field
	for _, l := range logs {
		formats = append(formats, l.format.Fields())
	}
	some = [][]schema.Field{formats[0], formats[3]}
	fresh := hostileLogs(t, rnd)
	all := []*columnar.File{columnsFile(t, columnar.EncoderOptions{}, 300, logs...), columnsFile(t, columnar.EncoderOptions{AllLines: true}, 200, logs...)}
	plain := []*columnar.File{columnsFile(t, columnar.EncoderOptions{}, 500, logs[0], logs[3])}
	rounds := 400
	if raceDetector || testing.Short() { // there is one goroutine; make plain tests all
		rounds = 40
	}
	for range rounds {
		formats, files, read := formats, all, [][]columnsLog{logs, logs, fresh}
		if rnd.IntN(2) == 0 { // formats that agree on what every name is
			formats, files, read = some, plain, [][]columnsLog{{logs[0], logs[3]}, {fresh[0], fresh[3]}}
		}
		q, f := anyQuestion(t, rnd, formats)
		a := answerOf(t, q, "")
		m, err := Compile(f, formats...)
		if err != nil {
			t.Fatal(err)
		}
		for _, logs := range read {
			for i := range logs {
				logs[i].entries(func(e *schema.Entry) {
					if m.Match(e) {
						err = errors.Join(err, a.Add(e))
					}
				})
			}
		}
		want, reportErr := a.Report()
		if err := errors.Join(err, reportErr); err != nil {
			t.Fatal(err)
		}
		got := byColumns(t, rnd, q, f, formats, files, read[len(read)-1])
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %+v\nfilter %s\ngot  %s\nwant %s", seed, q, filterText(f), reportText(got), reportText(want))
		}
	}
}

func reportText(r Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, ", r.Columns)
	for _, row := range r.Rows {
		for _, v := range row {
			fmt.Fprintf(&b, "%q ", v.Text)
		}
		b.WriteString("| ")
	}
	return b.String()
}

func filterText(f *schema.Filter) string {
	if f == nil {
		return "none"
	}
	if len(f.Args) == 0 {
		return fmt.Sprintf("(%s op %d %q %d)", f.Field, f.Op, f.Text, f.Num)
	}
	var args []string
	for _, a := range f.Args {
		args = append(args, filterText(a))
	}
	return fmt.Sprintf("(op %d %s)", f.Op, strings.Join(args, ", "))
}

func TestColumnsDoNotAllocateForARow(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector empties pools: make plain runs it without")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var log bytes.Buffer
	if err := sample.Write(&log, rnd.Uint64(), 5000); err != nil {
		t.Fatal(err)
	}
	l := newColumnsLog(t, "/a.log", "combined", strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")...)
	file := columnsFile(t, columnar.EncoderOptions{}, 0, l)
	filter, err := Parse(`status < 500 and (path starts with / or not agent contains x) and client in 0.0.0.0/0`, testNow, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []Question{
		{}, {By: []string{"status", "method", "hour"}}, {By: []string{"url_path"}, Measures: []Measure{{Sum, "bytes", 0}}}, {Measures: []Measure{{Distinct, "client", 0}, {Max, "time", 0}}},
		{By: []string{"status_class", "query"}, Measures: []Measure{{Distinct, "agent", 0}}},
	} {
		c, err := NewColumns(q, filter, 1, l.format.Fields())
		if err != nil {
			t.Fatal(err)
		}
		var b columnar.Batch
		if err := file.Read(0, c.Names(), &b); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(5, func() {
			if err := c.Add(0, &b, nil); err != nil {
				t.Fatal(err)
			}
		}); n > 5 { // for a batch of 5,000 rows
			t.Errorf("%+v: %v allocations", q, n)
		}
	}
}

// Groups that do not fit into the memory are rejected or dropped, also when they are merged at the end.
func TestPendingGroupsKeepToTheMemory(t *testing.T) {
	var lines []string
	for i := range 30_000 {
		lines = append(lines, fmt.Sprintf(`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /%d HTTP/1.1" 200 5`, i%20_000))
		if i%3 == 0 {
			lines = append(lines, `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /often HTTP/1.1" 200 5`)
		}
	}
	l := newColumnsLog(t, "/a.log", "common", lines...)
	file := columnsFile(t, columnar.EncoderOptions{}, 8000, l)
	ask := func(q Question) (Report, error) {
		c, err := NewColumns(q, nil, 2, l.format.Fields())
		if err != nil {
			t.Fatal(err)
		}
		var b columnar.Batch
		for g := range file.Groups() {
			if err := file.Read(g, c.Names(), &b); err != nil {
				t.Fatal(err)
			}
			if err := c.Add(g%2, &b, nil); err != nil {
				return Report{}, err
			}
		}
		a, err := c.Answer()
		if err != nil {
			return Report{}, err
		}
		return a.Report()
	}
	for _, bytes := range []int{1 << 20, 3 << 20} { // too small for a worker's groups, and for all
		if _, err := ask(Question{By: []string{"path"}, MaxBytes: bytes}); !errors.Is(err, ErrTooManyGroups) {
			t.Errorf("in %d bytes: %v, want ErrTooManyGroups", bytes, err)
		}
		r, err := ask(Question{By: []string{"path"}, Limit: 3, Frequent: true, MaxBytes: bytes})
		if err != nil || len(r.Rows) != 3 || r.Rows[0][0].Text != "/often" || r.Approximate != (r.Floor > 0) {
			t.Errorf("the most frequent in %d bytes: %v, %v", bytes, r.Rows, err)
		}
	}
	r, err := ask(Question{By: []string{"path"}})
	if err != nil || len(r.Rows) != 20_001 || r.Rows[0][1].Text != "10000" || r.Rows[1][1].Text != "2" || r.Rows[20_000][1].Text != "1" {
		t.Errorf("%d groups, %v: the first is %v", len(r.Rows), err, r.Rows[0])
	}
}
