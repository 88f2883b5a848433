package segment

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"sluice/schema"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

const goldenPath = "testdata/v1.gz"

// Archives outlive programs: what version 1 wrote must be read by all that follow.
// The file is read, not compared: deflate's output may differ between releases.
func TestVersion1StaysReadable(t *testing.T) {
	pieces := [][]byte{[]byte("first line\nsecond line\n"), []byte("no newline")}
	want := []Member{
		{Stream: 0x0123456789abcdef, Range: schema.Range{Start: 1 << 40, End: 1<<40 + 23}, Lines: 2},
		{Stream: 0xfedcba9876543210, Range: schema.Range{Start: 0, End: 10}, Lines: 1, Unterminated: true},
	}
	if *rewrite {
		writeGolden(t, want, pieces)
	}
	content, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	members, data, err := readBack(bytes.NewReader(content), int64(len(content)))
	if err != nil || len(members) != len(want) {
		t.Fatalf("%d members, %v", len(members), err)
	}
	for i, m := range members {
		m.Offset, m.Bytes = 0, 0
		if m != want[i] || !bytes.Equal(data[i], pieces[i]) {
			t.Errorf("member %d is %+v %q, want %+v %q", i, m, data[i], want[i], pieces[i])
		}
	}
}

func writeGolden(t *testing.T, members []Member, pieces [][]byte) {
	t.Helper()
	var content []byte
	enc := newEncoder(t)
	for i, m := range members {
		data, got, err := enc.encode(schema.Batch{
			Stream: &schema.Stream{ID: m.Stream}, Range: m.Range, Data: pieces[i], Lines: m.Lines,
		})
		if err != nil {
			t.Fatal(err)
		}
		got.Offset = int64(len(content))
		putHeader(data, got, got.Offset)
		content = append(content, data...)
	}
	if err := os.WriteFile(goldenPath, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
