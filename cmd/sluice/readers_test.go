package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"sluice/bench/sample"
	"sluice/test/pyreaders"
)

var (
	withReaders = flag.String("readers", "", "other programs that read tables, too: spark, hive, phoenix and java with commas between, or all: make readers")
	realLog     = flag.String("log", "", "a log of Apache's combined format in UTC that other engines count, too")
)

// countedLog is a log whose counts all readers must agree on, with the time zone of its days.
type countedLog struct{ name, path, zone string }

// hostileLog has nulls and empty values, invalid UTF-8, escapes, control characters, and lines that
// do not match the format.
const hostileLog = `127.0.0.1 - - [02/Sep/2026:12:38:50 +0000] "-" 408 - "-" "-"
127.0.0.1 - - [02/Sep/2026:12:38:50 +0000] "\x16\x03\x01\x02" 400 266 "-" "-"
127.0.0.1 - "" [02/Sep/2026:12:38:50 +0000] "GET /" 200 0 "" ""
::1 - \xff\xfe [02/Sep/2026:12:38:51 -0330] "GET /\xc3\xa4?q=\xff\"\\ HTTP/1.1" 503 18 "\\x41" "a\tb\x00c"
` + "::1 - raw\xff\xc3 [02/Sep/2026:12:38:51 +0200] \"GET /\xc3\xa4 HTTP/1.1\" 007 -5 \"\x01\" \"caf\xc3\xa9 \xf0\x9f\x8c\x8a\"\n" + `not a line at all
127.0.0.1 - - [02/Sep/2026:12:38:50 +0000] "GET / HTTP/1.1" 200 999999999999999999 "-" "torn
` + "\r\n\n" + `127.0.0.1 - - [31/Feb/2026:12:38:50 +0000] "GET / HTTP/1.1" 200 1 "-" "-"
127.0.0.1 - - [03/Sep/2026:12:38:50 +0000] "GET / HTTP/1.1" 500 12 "-" "-"` + "\r\n"

func countedLogs(t *testing.T, dir string) []countedLog {
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var text bytes.Buffer
	if err := sample.Write(&text, 1, 20_000); err != nil {
		t.Fatal(err)
	}
	logs := []countedLog{
		{"sample", write("sample.log", text.Bytes()), "Etc/GMT-2"}, // two hours east
		{"httpd", "../../testdata/logs/access.log", "Etc/GMT-1"},
		{"hostile", write("hostile.log", []byte(hostileLog)), "UTC"},
	}
	if *realLog != "" {
		logs = append(logs, countedLog{filepath.Base(*realLog), *realLog, "UTC"})
	}
	return logs
}

// counts are the questions of pyreaders in the form of sluice scan, and which part of the answer is
// compared.
var counts = []struct {
	name    string
	flags   string
	columns []string // columns of the answer; nil: the number of rows whose first column is null
	dated   bool     // omit the group of null
}{
	{"lines", "--count", []string{"count"}, false},
	{"5xx", "--count --where status>=500", []string{"count"}, false},
	{"by status", "--by status", []string{"status", "count"}, false},
	{"undated", "--by day", nil, false},
	{"errors", "--count --where parse_error!=\"\"", []string{"count"}, false},
	{"user null", "--by user", nil, false},
	{"user empty", `--count --where user==""`, []string{"count"}, false},
	{"distinct", "--distinct client,path,agent", []string{"distinct_client", "distinct_path", "distinct_agent"}, false},
	{"bytes", "--sum bytes --min bytes --max bytes", []string{"sum_bytes", "min_bytes", "max_bytes"}, false},
	{"by day", "--by day", []string{"day", "count"}, true},
}

// TestOtherReadersCountWhatScanCounts checks that the engines that docs/columnar.md lists count the
// same in the tree that a run wrote as sluice scan, by partition and by column.
func TestOtherReadersCountWhatScanCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: it needs Python with the readers")
	}
	dir := t.TempDir()
	logs := countedLogs(t, dir)
	var trees, archives []string
	want := make([][]string, len(logs))
	for i, l := range logs {
		data := filepath.Join(dir, l.name)
		archive := "dir:" + data + "-archive"
		if i > 0 {
			archive += "/day=%Y-%m-%d/host=%{host}" // the form for Hive and Spark
		}
		archives = append(archives, archive)
		if out, err := command(t, "run", "--once", "--quiet", "--data", data, "--archive", archive, "--host", "web1", l.path).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", l.name, err, out)
		}
		trees = append(trees, filepath.Join(data, "table"))
		for q := range counts {
			want[i] = append(want[i], scanned(t, data, l.zone, q))
		}
	}
	found := map[string][][]string{"sluice scan": want}
	for _, reader := range []string{"pyarrow", "pandas", "polars", "duckdb", "chdb"} {
		found[reader] = answersOf(t, pyreaders.Run(t, pyreaders.Parquet, append([]string{reader, "counts"}, trees...)...))
	}
	if wanted("spark") {
		found["spark"] = answersOf(t, pyreaders.Run(t, pyreaders.Spark, trees...))
	}
	if wanted("hive") {
		found["hive"] = hiveCounts(t, logs, trees, archives)
	}
	var names []string
	for _, c := range counts {
		names = append(names, c.name)
	}
	for i, l := range logs {
		ofLog := map[string][]string{}
		for reader, answers := range found {
			ofLog[reader] = nil
			if i < len(answers) {
				ofLog[reader] = answers[i]
			}
		}
		compareAnswers(t, l.name, names, ofLog)
	}
}

// wanted reports whether a program is one of -readers.
func wanted(reader string) bool {
	return *withReaders == "all" || slices.Contains(strings.Split(*withReaders, ","), reader)
}

// answersOf parses answers from lines of JSON, each of which is a list of answers.
func answersOf(t *testing.T, lines []string) (answers [][]string) {
	t.Helper()
	for _, line := range lines {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(line), &list); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, a := range list {
			texts = append(texts, string(a))
		}
		answers = append(answers, texts)
	}
	return answers
}

// compareAnswers compares the answers of all readers to each question with those of sluice scan, and
// logs them as a table.
func compareAnswers(t *testing.T, title string, questions []string, found map[string][]string) {
	t.Helper()
	const oracle = "sluice scan"
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	readers := slices.DeleteFunc(slices.Sorted(maps.Keys(found)), func(name string) bool { return name == oracle })
	readers = append([]string{oracle}, readers...)
	fmt.Fprintf(w, "%s\t%s\n", title, strings.Join(readers, "\t"))
	for i, question := range questions {
		fmt.Fprint(w, question)
		want := found[oracle][i]
		for _, reader := range readers {
			got := "no answer"
			if answers := found[reader]; i < len(answers) {
				got = answers[i]
			}
			if got != want && got != notAnswerable {
				t.Errorf("%s: %s by %s: %s, sluice scan: %s", title, question, reader, got, want)
			}
			if len(got) > 24 {
				got = got[:21] + "..."
			}
			fmt.Fprint(w, "\t", got)
		}
		fmt.Fprintln(w)
	}
	w.Flush() //nolint:errcheck // into memory
	t.Logf("\n%s", &table)
}

// scanned returns the answer of sluice scan to a question, in the form that the readers print.
func scanned(t *testing.T, data, zone string, question int) string {
	t.Helper()
	c := &counts[question]
	scan := command(t, append([]string{"scan", "--quiet", "--data", data, "--output", "json"}, strings.Fields(c.flags)...)...)
	scan.Env = append(os.Environ(), scan.Env...)
	scan.Env = append(scan.Env, "TZ="+zone)
	var stderr bytes.Buffer
	scan.Stderr = &stderr
	out, err := scan.Output()
	if err != nil {
		t.Fatalf("scan %s: %v: %s", c.flags, err, &stderr)
	}
	rows := [][]any{}
	nulls := json.Number("0")
	for line := range bytes.Lines(out) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		var group map[string]any
		if err := d.Decode(&group); err != nil {
			t.Fatalf("scan %s: %v in %s", c.flags, err, line)
		}
		if c.columns == nil {
			if v := group[c.flags[len("--by "):]]; v == nil {
				nulls = group["count"].(json.Number)
			}
			continue
		}
		var row []any
		for _, name := range c.columns {
			v := group[name]
			if day, ok := v.(string); ok && name == "day" {
				v = json.Number(strings.ReplaceAll(day, "-", ""))
			}
			row = append(row, v)
		}
		if !c.dated || row[0] != nil {
			rows = append(rows, row)
		}
	}
	if c.columns == nil {
		rows = [][]any{{nulls}}
	}
	slices.SortFunc(rows, func(a, b []any) int { // null first
		key := func(row []any) string { return fmt.Sprintf("%v %20v", row[0] != nil, row[0]) }
		return strings.Compare(key(a), key(b))
	})
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
