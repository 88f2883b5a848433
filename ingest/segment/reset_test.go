package segment

import (
	"bytes"
	"testing"
)

// TestAReaderThatIsResetAllocatesNothing checks that a Reader reads many segments with the memory of
// one, whatever it read before.
func TestAReaderThatIsResetAllocatesNothing(t *testing.T) {
	lines := [][]byte{sampleLines(1, 2000), sampleLines(2, 1000)}
	var files [2]bytes.Buffer
	for i := range files {
		enc := newEncoder(t)
		w := &Writer{file: discard{}}
		data, m, err := enc.encode(batchOf(0, lines[i]), nil)
		if err != nil {
			t.Fatal(err)
		}
		putHeader(data, m, w.synced)
		files[i].Write(data)
	}
	sources := [2]*bytes.Reader{bytes.NewReader(files[0].Bytes()), bytes.NewReader(files[1].Bytes())}
	var r Reader
	read := func(i int) {
		r.Reset(sources[i], sources[i].Size())
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Data(); err != nil || !bytes.Equal(got, lines[i]) {
			t.Fatalf("segment %d: other lines, or %v", i, err)
		}
	}
	read(0)
	if n := testing.AllocsPerRun(20, func() { read(1); read(0) }); n != 0 {
		t.Errorf("%v allocations for two segments", n)
	}
}
