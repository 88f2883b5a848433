package segment

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"sluice/schema"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// In the second file the first member has its stream's entry.
const (
	goldenPath      = "testdata/v1.gz"
	goldenEntryPath = "testdata/v1-entry.gz"
)

// Every later version must read what version 1 wrote. The file is only read, not compared, because
// deflate's output may differ between releases.
func TestVersion1StaysReadable(t *testing.T) {
	for path, entry := range map[string]*schema.StreamEntry{goldenPath: nil, goldenEntryPath: {
		Stream: schema.Stream{ID: 0x0123456789abcdef, Host: "web01", Path: "/var/log/apache2/access.log", Format: "combined", Zone: "Europe/Berlin"},
		Labels: map[string]string{"site": "shop"},
	}} {
		t.Run(path, func(t *testing.T) { testGolden(t, path, entry) })
	}
}

func testGolden(t *testing.T, path string, entry *schema.StreamEntry) {
	pieces := [][]byte{[]byte("first line\nsecond line\n"), []byte("no newline")}
	want := []Member{
		{Stream: 0x0123456789abcdef, Range: schema.Range{Start: 1 << 40, End: 1<<40 + 23}, Lines: 2},
		{Stream: 0xfedcba9876543210, Range: schema.Range{Start: 0, End: 10}, Lines: 1, Unterminated: true},
	}
	if *rewrite {
		writeGolden(t, path, entry, want, pieces)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	members, data, err := readBack(bytes.NewReader(content), int64(len(content)))
	if err != nil || len(members) != len(want) {
		t.Fatalf("%d members, %v", len(members), err)
	}
	for i, m := range members {
		if i == 0 && entry != nil {
			r := NewReader(bytes.NewReader(content), int64(len(content)))
			r.At(m)
			if got, err := r.Entry(); err != nil || !reflect.DeepEqual(got, *entry) {
				t.Errorf("the entry is %+v, %v; want %+v", got, err, *entry)
			}
		}
		m.Offset, m.Bytes, m.EntryBytes = 0, 0, 0
		if m != want[i] || !bytes.Equal(data[i], pieces[i]) {
			t.Errorf("member %d is %+v %q, want %+v %q", i, m, data[i], want[i], pieces[i])
		}
	}
}

func writeGolden(t *testing.T, path string, entry *schema.StreamEntry, members []Member, pieces [][]byte) {
	t.Helper()
	var content []byte
	enc := newEncoder(t)
	for i, m := range members {
		var text []byte
		if i == 0 && entry != nil {
			var err error
			if text, err = marshalEntry(&entry.Stream, entry.Labels); err != nil {
				t.Fatal(err)
			}
		}
		data, got, err := enc.encode(schema.Batch{
			Stream: &schema.Stream{ID: m.Stream}, Range: m.Range, Data: pieces[i], Lines: m.Lines,
		}, text)
		if err != nil {
			t.Fatal(err)
		}
		got.Offset = int64(len(content))
		putHeader(data, got, got.Offset)
		content = append(content, data...)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
