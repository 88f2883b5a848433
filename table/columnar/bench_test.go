package columnar

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"sluice/schema"
)

var benchLines = flag.Int("lines", 200_000, "lines of the log that is measured")

// keep is the path at which the benchmark saves the file that it measures; empty: not saved.
var keep = flag.String("keep", "", "file to leave the measured file in")

func BenchmarkWrite(b *testing.B) {
	s := newLog("web1", "/var/log/apache2/access.log", "combined", sampleLog(b, 1, *benchLines))
	f := s.parser(b)
	var rec schema.Record
	var c Chunk
	for b.Loop() {
		var out bytes.Buffer
		w := NewWriter(&out, WriterOptions{Segment: "web1/20260902-1"})
		e, err := NewEncoder(&s.Stream, nil, f, EncoderOptions{})
		if err != nil {
			b.Fatal(err)
		}
		offset := int64(0)
		for _, part := range s.parts(1 << 20) {
			c.Reset()
			start, bad := offset, 0
			for data := part; len(data) > 0; {
				line, at, size, ok := schema.CutLine(data)
				if ok {
					f.Parse(line, &rec)
					e.Append(&c, offset+int64(at), &rec)
				}
				data, offset = data[size:], offset+int64(size)
			}
			if err := w.Append(&s.Stream, nil, schema.Range{Start: start, End: offset}, bad, &c); err != nil {
				b.Fatal(err)
			}
		}
		memory := w.MemoryBytes()
		if _, err := w.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(out.Len())/float64(*benchLines), "bytes/line")
		b.ReportMetric(float64(memory), "memory")
		if *keep != "" {
			if err := os.WriteFile(*keep, out.Bytes(), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*benchLines), "ns/line")
}

func BenchmarkRead(b *testing.B) {
	s := newLog("web1", "/var/log/apache2/access.log", "combined", sampleLog(b, 1, *benchLines))
	f := open(b, file(b, WriterOptions{}, EncoderOptions{}, 1<<20, s))
	read := func(name string, columns []string, lines bool) {
		b.Run(name, func(b *testing.B) {
			var batch Batch
			var line []byte
			for b.Loop() {
				for g := range f.Groups() {
					if err := f.Read(g, columns, &batch); err != nil {
						b.Fatal(err)
					}
					for i := range batch.Rows {
						if !lines {
							break
						}
						var err error
						if line, err = batch.Line(line[:0], i); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*benchLines), "ns/line")
		})
	}
	read("all", nil, false)
	read("lines", nil, true)
	for _, c := range f.columns {
		read(c.name, []string{c.name}, false)
	}
	for _, c := range f.columns {
		n := int64(0)
		for _, g := range f.Groups() {
			s, _ := g.stats(c.name)
			n += s.compressedBytes
		}
		b.Logf("%s: %.2f bytes a line", c.name, float64(n)/float64(*benchLines))
	}
}
