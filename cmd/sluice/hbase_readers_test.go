package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/sample"
	"sluice/schema"
	"sluice/test/cluster"
	"sluice/test/javareaders"
	"sluice/test/pyreaders"
)

// Bounds of the time range that readers of an HBase table are asked for: some lines are earlier,
// some later.
const (
	rangeFrom = "2026-09-02T12:38:51Z"
	rangeTo   = "2026-09-02T22:00:00Z"
)

// hbaseQuestions are asked of each reader of an HBase table; flags and columns are those of sluice
// scan. An answer is the sorted rows.
var hbaseQuestions = []struct {
	name    string
	flags   string
	columns []string
	only    string // the value of the first column; then the answer is the second, or 0
}{
	{"lines", "--count", []string{"count"}, ""},
	{"by status", "--by status", []string{"status", "count"}, ""},
	{"time range", "--count --from " + rangeFrom + " --to " + rangeTo, []string{"count"}, ""},
	{"by host", "--by host", []string{"host", "count"}, ""},
	{"bytes", "--sum bytes --where bytes>=0", []string{"sum_bytes"}, ""},
	{"user null", "--by user", []string{"user", "count"}, "null"},
	{"user empty", `--count --where user==""`, []string{"count"}, ""},
	{"null or empty", "", nil, ""}, // the sum of the two before, for readers in which they are one
	{"blank lines", `--count --where logbody==""`, []string{"count"}, ""},
	{"undated", "--by day", []string{"day", "count"}, "null"},
	{"errors", "--count --where parse_error!=\"\"", []string{"count"}, ""},
	{"not UTF-8", "--output raw --where status==7", nil, ""}, // the line, as hexadecimal digits
}

// notAnswerable is the answer to a question that a reader cannot be asked.
const notAnswerable = "-"

// hbaseRig is a table in HBase with the lines of some hosts.
type hbaseRig struct {
	t    *testing.T
	c    *cluster.Cluster
	data string
	name string // with its namespace
	url  string
}

// newHBaseRig stores the hostile lines and those of a sample, each as a host of its own.
func newHBaseRig(t *testing.T, c *cluster.Cluster, layout string) *hbaseRig {
	t.Helper()
	dir := t.TempDir()
	name := fmt.Sprintf("web:%s%d", layout, time.Now().UnixNano())
	r := &hbaseRig{t: t, c: c, data: filepath.Join(dir, "data"), name: name, url: fmt.Sprintf("hbase://%s/%s", c.ZooKeeper, name)}
	var text bytes.Buffer
	if err := sample.Write(&text, 1, 3000); err != nil {
		t.Fatal(err)
	}
	r.sluice("schema", "apply", "--layout", layout, "--table", r.url)
	for host, log := range map[string][]byte{"web1": text.Bytes(), "hostile": []byte(hostileLog)} {
		path := filepath.Join(dir, host+".log")
		if err := os.WriteFile(path, log, 0o600); err != nil {
			t.Fatal(err)
		}
		r.sluice("run", "--once", "--host", host, "--table", r.url, path)
	}
	return r
}

func (r *hbaseRig) sluice(args ...string) string {
	r.t.Helper()
	cmd := command(r.t, append([]string{"--data", r.data, "-q"}, args...)...)
	cmd.Env = append(cmd.Environ(), "TZ=UTC")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("%q: %v: %s", args, err, &stderr)
	}
	return string(out)
}

// scanned returns the answers of sluice scan.
func (r *hbaseRig) scanned() (answers []string) {
	r.t.Helper()
	for _, q := range hbaseQuestions {
		if q.flags == "" {
			answers = append(answers, "")
			continue
		}
		args := append([]string{"scan", "--table", r.url}, strings.Fields(q.flags)...)
		if q.columns == nil {
			answers = append(answers, hex.EncodeToString(bytes.TrimSuffix([]byte(r.sluice(args...)), []byte("\n"))))
			continue
		}
		var rows []javareaders.Row
		for line := range strings.Lines(r.sluice(append(args, "--output", "json")...)) {
			d := json.NewDecoder(strings.NewReader(line))
			d.UseNumber()
			var group map[string]any
			if err := d.Decode(&group); err != nil {
				r.t.Fatalf("%q: %v in %s", args, err, line)
			}
			var row javareaders.Row
			for _, name := range q.columns {
				value := "null"
				if group[name] != nil {
					value = fmt.Sprint(group[name])
				}
				row = append(row, value)
			}
			rows = append(rows, row)
		}
		answers = append(answers, sortedRows(rows, q.only))
	}
	var null, empty int
	if _, err := fmt.Sscan(answers[5]+" "+answers[6], &null, &empty); err != nil {
		r.t.Fatal(err)
	}
	answers[7] = fmt.Sprint(null + empty)
	return answers
}

// sortedRows returns sorted rows as text, or the second column of the row whose first one is only.
func sortedRows(rows []javareaders.Row, only string) string {
	var texts []string
	for _, row := range rows {
		if only != "" && row[0] == only {
			return row[1]
		}
		texts = append(texts, strings.Join(row, "="))
	}
	if only != "" {
		return "0"
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// TestHBaseReadersCountWhatScanCounts checks that the programs that docs/reading.md lists find the
// same in a table in HBase as sluice scan, with the statements that sluice schema prints.
func TestHBaseReadersCountWhatScanCounts(t *testing.T) {
	if *withReaders == "" {
		t.Skip("left out without -readers: it downloads other programs; make readers")
	}
	var python string
	if wanted("spark") {
		python = pyreaders.Python(t, pyreaders.Spark)
	}
	c := cluster.Start(t, cluster.Options{Phoenix: true})
	for _, layout := range []string{schema.LayoutTyped, schema.LayoutFlume, schema.LayoutPacked} {
		t.Run(layout, func(t *testing.T) {
			r := newHBaseRig(t, c, layout)
			lines := javareaders.Lines{Table: r.name, Layout: layout, From: nanoseconds(t, rangeFrom), To: nanoseconds(t, rangeTo)}
			found := map[string][]string{"sluice scan": r.scanned()}
			if wanted("java") {
				found["Java"] = answersOfRows(javareaders.Client(t, c, lines, len(hbaseQuestions)))
			}
			if wanted("spark") {
				found["PySpark"] = answersOfRows(javareaders.Spark(t, c, python, lines, len(hbaseQuestions)))
			}
			if layout == schema.LayoutTyped && wanted("spark") {
				shell := answersOfRows(javareaders.SparkShell(t, c, python, lines))
				if want := found["sluice scan"][:len(shell)]; !slices.Equal(shell, want) {
					t.Errorf("Spark's shell printed %q, sluice scan %q", shell, want)
				}
			}
			if layout != schema.LayoutPacked && wanted("phoenix") { // packed has no SQL
				found["Phoenix"] = r.phoenix(layout)
			}
			if layout != schema.LayoutPacked && wanted("hive") {
				found["Hive"] = r.hive(layout)
			}
			compareAnswers(t, layout, hbaseQuestionNames(), found)
		})
	}
}

// TestReadersOfHBase25CountWhatScanCounts checks the same with the release before: its servers, and
// its Java client.
func TestReadersOfHBase25CountWhatScanCounts(t *testing.T) {
	if !wanted("java") {
		t.Skip("left out without -readers java: it downloads another HBase; make readers")
	}
	c := cluster.Start(t, cluster.Options{HBase: "2.5.10-hadoop3"})
	for _, layout := range []string{schema.LayoutTyped, schema.LayoutFlume, schema.LayoutPacked} {
		t.Run(layout, func(t *testing.T) {
			r := newHBaseRig(t, c, layout)
			lines := javareaders.Lines{Table: r.name, Layout: layout, From: nanoseconds(t, rangeFrom), To: nanoseconds(t, rangeTo)}
			compareAnswers(t, layout, hbaseQuestionNames(), map[string][]string{
				"sluice scan": r.scanned(),
				"Java":        answersOfRows(javareaders.Client(t, c, lines, len(hbaseQuestions))),
			})
		})
	}
}

func answersOfRows(found [][]javareaders.Row) (answers []string) {
	for _, rows := range found {
		answers = append(answers, sortedRows(rows, ""))
	}
	return answers
}

func hbaseQuestionNames() (names []string) {
	for _, q := range hbaseQuestions {
		names = append(names, q.name)
	}
	return names
}
