package hfile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/hbase/hfile"
	"sluice/test/cluster"
)

// HBase's own reader finds the same cells, along the index too, and no checksum is wrong.
func TestHBaseReadsTheFiles(t *testing.T) {
	c := cluster.Jars(t) // the files are local
	all := contents()
	// Half a million cells: not many more than fill the root of the index with short keys.
	large := content{cells: logCells(110_000), blockBytes: 1 << 10, levels: 2}
	dir := t.TempDir()
	want := map[string]string{}
	for _, e := range encodings {
		for _, z := range compressions {
			files := maps.Clone(all)
			if e == hfile.FastDiff && z == hfile.Snappy { // the index depends on neither
				files["short keys that fill the root"] = large
			}
			for name, content := range files {
				path := filepath.Join(dir, strings.ReplaceAll(fmt.Sprintf("%s %v %v", name, e, z), " ", "-"))
				o := options()
				o.Encoding, o.Compression, o.BlockBytes = e, z, content.blockBytes
				b, _ := write(t, o, content.cells)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				want[path] = fmt.Sprintf("%d\t%d\t0\t%s\t%s\t%v\t%v", len(content.cells), max(content.levels, 1),
					hashOf(content.cells, o.Family), middleRow(t, b, o.Family), codecNames[z], e)
			}
		}
	}
	damaged := damagedFile(t, filepath.Join(dir, "damaged"))
	classes, jars := compile(t, c, "testdata/ReadHFiles.java"), zstdJars(t)
	out, err := c.Java([]string{"CLUSTER_CP=" + classes + ":" + jars + "/*"}, "ReadHFiles", append(slices.Collect(maps.Keys(want)), damaged)...)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(out) {
		path, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		got[path] = rest
	}
	for path, want := range want {
		if got[path] != want {
			t.Errorf("%s\n got %s\nwant %s", filepath.Base(path), got[path], want)
		}
	}
	// After a wrong checksum HBase reads the block again from the file system, which has no checksum
	// of its own here: only the counter tells it.
	if columns := strings.Split(got[damaged], "\t"); len(columns) < 3 || columns[2] == "0" {
		t.Errorf("no wrong checksum is counted in a file with a changed value: %q", got[damaged])
	}
}

// damagedFile writes a file in which one byte of a value differs from that of its checksum, so that
// its cells can still be read.
func damagedFile(t *testing.T, path string) string {
	t.Helper()
	b, _ := write(t, options(), []cell{{"row", "line", 1, "GET /index.html"}, {"row2", "line", 1, "GET /"}})
	at := bytes.Index(b, []byte("index"))
	if at < 0 {
		t.Fatal("the value is not in the file")
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var codecNames = map[hfile.Compression]string{hfile.Uncompressed: "NONE", hfile.Snappy: "SNAPPY", hfile.Zstd: "ZSTD", hfile.Gzip: "GZ"}

// hashOf is the hash of ReadHFiles.java.
func hashOf(cells []cell, family string) string {
	h := sha256.New()
	var b, stamp []byte
	part := func(s string) {
		b = append(strconv.AppendInt(b, int64(len(s)), 10), ' ')
		b = append(b, s...)
	}
	for _, c := range cells {
		b = b[:0]
		part(c.row)
		part(family)
		part(c.qualifier)
		stamp = append(strconv.AppendUint(stamp[:0], c.timestamp, 10), " Put"...)
		part(string(stamp))
		part(c.value)
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// middleRow is the first row of the middle data block.
func middleRow(t testing.TB, b []byte, family string) string {
	f := read(t, b, family)
	if len(f.cells) == 0 {
		return "-"
	}
	return hex.EncodeToString([]byte(f.middle))
}

// compile compiles a class against the cluster's jars.
func compile(t *testing.T, c *cluster.Cluster, source string) (dir string) {
	t.Helper()
	if _, err := exec.LookPath("javac"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("left out: no javac, which compiles a reader with HBase's own classes")
	}
	dir = t.TempDir()
	if _, err := c.Java(nil, "com.sun.tools.javac.Main", "-nowarn", "-Xlint:none", "-d", dir, source); err != nil {
		t.Fatal(err)
	}
	return dir
}

// zstdJars resolves HBase's codec for ZSTD, once.
func zstdJars(t *testing.T) (dir string) {
	t.Helper()
	const pom = "testdata/zstd/pom.xml"
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(pom)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(cache, "sluice-tests", fmt.Sprintf("zstd-%08x", crc32.ChecksumIEEE(text)))
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return dir
	}
	out, err := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("mvn: %v: %s", err, out)
	}
	if err := os.WriteFile(complete, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
