package segment

import (
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"

	"sluice/ingest/segment/vfs"
)

// discard is a file that ignores writes, so that the disk is not measured.
type discard struct{ vfs.File }

func (discard) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// BenchmarkAppend compares encoding and appending a member with klauspost's gzip writer alone, on
// the same batches.
func BenchmarkAppend(b *testing.B) {
	for _, lines := range []int{300, 5000} {
		data := sampleLines(1, lines)
		batch := batchOf(0, data)
		for level := 1; level <= 6; level++ {
			b.Run(fmt.Sprintf("segment/level=%d/KiB=%d", level, len(data)>>10), func(b *testing.B) {
				enc, err := NewEncoder(level)
				if err != nil {
					b.Fatal(err)
				}
				w := &Writer{file: discard{}}
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					if _, err := w.Append(enc, batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(data))*float64(b.N)/float64(w.size), "ratio")
			})
			b.Run(fmt.Sprintf("gzip/level=%d/KiB=%d", level, len(data)>>10), func(b *testing.B) {
				z, err := gzip.NewWriterLevel(io.Discard, level)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					z.Reset(io.Discard)
					if _, err := z.Write(data); err != nil {
						b.Fatal(err)
					}
					if err := z.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
