package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/bench/peers"
	"sluice/bench/sample"
	"sluice/hbase"
	"sluice/schema"
	"sluice/test/cluster"
)

// TestHBasesOwnClientReadsTheSameRows checks that HBase's Java client reads the rows that `sluice
// run` stored, one half with Put, and the other half as files that were loaded: the same cells, byte
// for byte, and numbers that Bytes.toLong decodes.
func TestHBasesOwnClientReadsTheSameRows(t *testing.T) {
	t.Parallel() // runs after the sequential tests, because it waits for the shared cluster
	if _, err := exec.LookPath("javac"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("left out: no javac, which compiles a client of HBase's own")
	}
	c := cluster.Start(t, cluster.Options{})
	dir := t.TempDir()
	sources, err := peers.WriteHBaseSources(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Java(nil, "com.sun.tools.javac.Main", append([]string{"-nowarn", "-Xlint:none", "-d", dir}, sources...)...); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "access.log")
	var text bytes.Buffer
	if err := sample.Write(&text, 1, 3000); err != nil {
		t.Fatal(err)
	}
	half := bytes.IndexByte(text.Bytes()[text.Len()/2:], '\n') + text.Len()/2 + 1
	for layout, compression := range map[string]string{schema.LayoutTyped: "SNAPPY", schema.LayoutPacked: "GZ", schema.LayoutFlume: "NONE"} {
		t.Run(layout, func(t *testing.T) {
			table := fmt.Sprintf("java%d", time.Now().UnixNano())
			url := fmt.Sprintf("hbase://%s/%s", c.ZooKeeper, table)
			sluice := func(args ...string) string {
				t.Helper()
				cmd := command(t, append([]string{"--data", filepath.Join(dir, layout), "-q"}, args...)...)
				cmd.Env = append(cmd.Environ(), "HADOOP_CONF_DIR="+c.ConfDir)
				var errs bytes.Buffer
				cmd.Stderr = &errs
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%q: %v: %s", args, err, &errs)
				}
				if strings.Contains(errs.String(), "bulk load") {
					t.Errorf("%q: rows are written with Put instead: %s", args, &errs)
				}
				return string(out)
			}
			store := func(text []byte, load string) {
				t.Helper()
				if err := os.WriteFile(log, text, 0o600); err != nil { // the same file, which has grown
					t.Fatal(err)
				}
				sluice("run", "--once", "--host", "web01", "--layout", layout, "--table", url, "--load", load, log)
			}
			sluice("schema", "apply", "--layout", layout, "--compression", compression, "--table", url)
			store(text.Bytes()[:half], loadPut)
			if layout == schema.LayoutFlume { // its rows are never loaded
				store(text.Bytes(), loadPut)
			} else {
				store(text.Bytes(), loadBulk)
			}
			printed, err := c.Java([]string{"CLUSTER_CP=" + dir}, peers.HBaseMain, "print", table)
			if err != nil {
				t.Fatal(err)
			}
			java := parseJavaRows(t, printed)
			if n := sluice("scan", "--table", url, "--count"); n != fmt.Sprintln(len(java)) {
				t.Errorf("Java's client counts %d rows, sluice %s", len(java), n)
			}
			sameCells(t, url, java)
			if layout == schema.LayoutTyped {
				sameNumbers(t, sluice("scan", "--table", url, "--output", "tsv", "--fields", "offset,status,bytes"), java)
			}
			raw := slices.Sorted(strings.Lines(sluice("scan", "--table", url, "--output", "raw")))
			var bodies []string
			for _, row := range java {
				var r schema.Row
				for qualifier, cell := range row {
					r.Cells = append(r.Cells, schema.Cell{Qualifier: qualifier, Value: cell.value})
				}
				body, _ := r.Cell(schema.LogbodyField) // in layout packed, a part of the row's cell
				bodies = append(bodies, string(body)+"\n")
			}
			if slices.Sort(bodies); !slices.Equal(raw, bodies) {
				t.Error("the lines differ")
			}
		})
	}
}

// javaCell is a cell as HBase's Java client prints it.
type javaCell struct {
	timestamp int64
	value     []byte
	number    string // result of Bytes.toLong if the value has eight bytes, else ""
}

// parseJavaRows parses the output of the print command of peers.HBaseMain into cells by key and
// qualifier, without the rows of the stream directory.
func parseJavaRows(t *testing.T, printed string) map[string]map[string]javaCell {
	t.Helper()
	rows := make(map[string]map[string]javaCell)
	for line := range strings.Lines(printed) {
		words := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		key, err := hex.DecodeString(words[0])
		if err != nil || len(words) == 1 || key[0] == 0xff || bytes.HasPrefix(key, []byte("stream:")) {
			continue // the count at the end, or a row of the stream directory
		}
		cells := make(map[string]javaCell)
		for _, word := range words[1:] {
			parts := strings.Split(word, " ")
			_, qualifier, ok := strings.Cut(parts[0], ":")
			if !ok || len(parts) < 3 {
				t.Fatalf("no cell: %q", word)
			}
			var cell javaCell
			var err2 error
			cell.timestamp, err = strconv.ParseInt(parts[1], 10, 64)
			cell.value, err2 = hex.DecodeString(parts[2])
			if err != nil || err2 != nil {
				t.Fatalf("no cell: %q", word)
			}
			if len(parts) > 3 {
				cell.number = parts[3]
			}
			cells[qualifier] = cell
		}
		rows[string(key)] = cells
	}
	return rows
}

// sameCells compares the rows with those of a scan by package hbase.
func sameCells(t *testing.T, url string, java map[string]map[string]javaCell) {
	t.Helper()
	u, err := hbase.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	table, err := hbase.Open(t.Context(), u, hbase.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for row, err := range table.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		cells := java[string(row.Key)]
		if len(cells) != len(row.Cells) {
			t.Errorf("row %x: %d cells, Java's client has %d", row.Key, len(row.Cells), len(cells))
		}
		for _, c := range row.Cells {
			have, ok := cells[c.Qualifier]
			if !ok || !bytes.Equal(have.value, c.Value) {
				t.Errorf("row %x, %s: %q, Java's client has %q", row.Key, c.Qualifier, c.Value, have.value)
			}
			if row.Time > 0 && have.timestamp != row.Time/1e6 {
				t.Errorf("row %x, %s: the cell's time is %d ms, the event's %d ns", row.Key, c.Qualifier, have.timestamp, row.Time)
			}
		}
	}
	if rows != len(java) {
		t.Errorf("%d rows, Java's client has %d", rows, len(java))
	}
	if err := table.Close(); err != nil {
		t.Error(err)
	}
}

// sameNumbers compares status and bytes as printed by `sluice scan`, by offset, with the results of
// Bytes.toLong.
func sameNumbers(t *testing.T, printed string, java map[string]map[string]javaCell) {
	t.Helper()
	want := make(map[string]string)
	for key, cells := range java {
		offset, err := strconv.ParseInt(hex.EncodeToString([]byte(key[17:])), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		want[strconv.FormatInt(offset, 10)] = cells["status"].number + "\t" + cells["bytes"].number
	}
	numbers := 0
	for line := range strings.Lines(printed) {
		offset, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if offset == "offset" { // the header line
			continue
		}
		numbers++
		if got, ok := want[offset]; !ok || got != strings.ReplaceAll(rest, `\N`, "") {
			t.Errorf("offset %s: sluice scan prints %q, Bytes.toLong reads %q", offset, rest, got)
		}
	}
	if numbers != len(java) {
		t.Errorf("numbers of %d rows, not %d", numbers, len(java))
	}
}
