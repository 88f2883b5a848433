package columnar

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/pyreaders"
)

// hostileLines are lines that other readers may fail on: nulls and empty values, bytes that are not
// UTF-8, escapes, control characters, and lines that do not match the format.
const hostileLines = `127.0.0.1 - - [02/Sep/2026:12:38:50 +0200] "-" 408 - "-" "-"
127.0.0.1 - - [02/Sep/2026:12:38:50 +0200] "\x16\x03\x01\x02" 400 266 "-" "-"
127.0.0.1 - "" [02/Sep/2026:12:38:50 +0200] "GET /" 200 0 "" ""
::1 - \xff\xfe [02/Sep/2026:12:38:51 -0330] "GET /\xc3\xa4?q=\xff\"\\ HTTP/1.1" 200 18 "\\x41" "a\tb\x00c"
` + "::1 - raw\xff\xc3 [02/Sep/2026:12:38:51 +0200] \"GET /\xc3\xa4 HTTP/1.1\" 007 -5 \"\x01\" \"caf\xc3\xa9 \xf0\x9f\x8c\x8a\"\n" + `not a line at all
127.0.0.1 - - [02/Sep/2026:12:38:50 +0200] "GET / HTTP/1.1" 200 999999999999999999 "-" "torn
` + "\r\n\n" + `127.0.0.1 - - [31/Feb/2026:12:38:50 +0200] "GET / HTTP/1.1" 200 1 "-" "-"
`

// readersTree writes a tree of two hosts with several row groups and formats.
func readersTree(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	put := func(name string, o WriterOptions, sources ...testLog) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file(t, o, EncoderOptions{}, 1<<16, sources...), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	one := newLog("web1", "/one.log", "combined", append(sampleLog(t, 1, 24_000), hostileLines...))
	two := newLog("web1", "/two.log", "%h %{%Y-%m-%d %T}t.%{usec_frac}t %>s %D %b \"%r\" %u", []byte(
		"10.0.0.1 2026-09-02 10:00:00.123456 200 17 5 \"GET /a HTTP/1.1\" -\n10.0.0.2 2026-09-02 10:00:00.123457 503 17 - \"GET /b\" x\n"))
	put("day=20260902/host=web1/20260902-1.parquet", WriterOptions{Segment: "web1/20260902-1.gz", RowGroupRows: 18_000}, one, two)
	three := newLog("web2", "/three.log", "combined", sampleLog(t, 3, 5_000))
	three.Labels = map[string]string{"site": "shop", "note": "caf\xe9"}
	put("day=20260902/host=web2/20260902-1.parquet", WriterOptions{Segment: "web2/20260902-1.gz"}, three)
	put("day=20260903/host=web2/20260903-1.parquet", WriterOptions{Segment: "web2/20260903-1.gz"}, newLog("web2", "/three.log", "combined", []byte(hostileLines)))
	return dir, files
}

// rowsOf returns the rows of a file in the output format of read.py.
func rowsOf(t *testing.T, path string) (rows []string, columns []columnInfo) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, b)
	var batch Batch
	for g := range f.Groups() {
		if err := f.Read(g, nil, &batch); err != nil {
			t.Fatal(err)
		}
		for i := range batch.Rows {
			row := []any{}
			for _, info := range f.columns {
				c := batch.Column(info.name)
				switch {
				case c.Null(i):
					row = append(row, nil)
				case !isText(c.Kind):
					row = append(row, c.Ints[i])
				case c.Name == "logbody":
					row = append(row, map[string]string{"bytes": hex.EncodeToString(c.Dict[c.Codes[i]])})
				default:
					row = append(row, string(c.Dict[c.Codes[i]]))
				}
			}
			rows = append(rows, marshal(t, row))
		}
	}
	return rows, f.columns
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestOtherReadersSeeTheSameValues compares every value of every row as printed by each reader.
func TestOtherReadersSeeTheSameValues(t *testing.T) {
	_, files := readersTree(t)
	for _, reader := range []string{"pyarrow", "pandas", "polars", "duckdb", "chdb"} {
		for _, path := range files {
			t.Run(reader+"/"+filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
				want, columns := rowsOf(t, path)
				got := pyreaders.Run(t, pyreaders.Parquet, reader, "rows", path)
				if len(got) != len(want) {
					t.Fatalf("%d rows, want %d", len(got), len(want))
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("row %d:\n%s\nwant\n%s\n%v", i, got[i], want[i], columns)
					}
				}
			})
		}
	}
}

// treeAnswers returns the answers to the queries of read.py, calculated with this package.
func treeAnswers(t *testing.T, files []string) []string {
	t.Helper()
	var rows, server, unknown, root, emptyUser, bodies, web2, shop, sum int64
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	clients := map[string]bool{}
	var first, last string
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := open(t, b)
		var batch Batch
		for g := range f.Groups() {
			if err := f.Read(g, nil, &batch); err != nil {
				t.Fatal(err)
			}
			text := func(name string, i int) (string, bool) {
				c := batch.Column(name)
				if c == nil || c.Codes[i] < 0 {
					return "", false
				}
				return string(c.Dict[c.Codes[i]]), true
			}
			status, size := batch.Column("status"), batch.Column("bytes")
			for i := range batch.Rows {
				rows++
				if status.Null(i) {
					unknown++
				} else if status.Ints[i] >= 500 {
					server++
				}
				if !size.Null(i) {
					sum, least, most = sum+size.Ints[i], min(least, size.Ints[i]), max(most, size.Ints[i])
				}
				if v, ok := text("path", i); ok {
					if v == "/" {
						root++
					}
					if first == "" || v < first {
						first = v
					}
					last = max(last, v)
				}
				if v, ok := text("user", i); ok && v == "" {
					emptyUser++
				}
				if _, ok := text("logbody", i); ok {
					bodies++
				}
				if v, ok := text("client", i); ok {
					clients[v] = true
				}
				if v, _ := text("label_site", i); v == "shop" {
					shop++
				}
				if strings.Contains(path, "day=20260902/host=web2") {
					web2++
				}
			}
		}
	}
	answers := []string{}
	for _, a := range [][]any{{rows}, {server}, {unknown}, {root}, {emptyUser}, {bodies}, {len(clients)}, {sum, least, most, first, last}, {web2}, {shop}} {
		answers = append(answers, marshal(t, a))
	}
	return answers
}

// TestOtherReadersAnswerOverTheTree queries a tree with partitions, and columns that not all files
// have. The filters make readers use statistics and page indexes.
func TestOtherReadersAnswerOverTheTree(t *testing.T) {
	dir, files := readersTree(t)
	want := treeAnswers(t, files)
	for _, reader := range []string{"pyarrow", "pandas", "polars", "duckdb", "chdb"} {
		t.Run(reader, func(t *testing.T) {
			got := pyreaders.Run(t, pyreaders.Parquet, reader, "tree", dir)
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("answer %d: %s, want %s", i, got[i], want[i])
				}
			}
			if len(got) < 3 {
				t.Errorf("%d answers", len(got))
			}
		})
	}
}
