package bulkload

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"sluice/bench/sample"
	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/parse"
	"sluice/schema"
)

// sampleRows are the rows of a sample log, in batches as a collector makes them.
func sampleRows(t testing.TB, layout schema.Layout, lines int) (batches []*schema.Rows) {
	t.Helper()
	var log bytes.Buffer
	if err := sample.Write(&log, 1, lines); err != nil {
		t.Fatal(err)
	}
	format, err := parse.Lookup("combined", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	e := layout.NewRowEncoder(&schema.Stream{Host: "web01", Path: "/var/log/apache2/access.log"}, format.Fields())
	var record schema.Record
	offset := int64(0)
	for line := range bytes.Lines(log.Bytes()) {
		if len(batches) == 0 || batches[len(batches)-1].Len() == 4096 {
			batches = append(batches, new(schema.Rows))
		}
		format.Parse(bytes.TrimSuffix(line, []byte{'\n'}), &record)
		e.Append(batches[len(batches)-1], offset, &record)
		offset += int64(len(line))
	}
	return batches
}

// BenchmarkFiles sorts rows and writes files, without a cluster.
func BenchmarkFiles(b *testing.B) {
	for _, name := range []string{schema.LayoutTyped, schema.LayoutPacked} {
		for _, c := range []hfile.Compression{hfile.Uncompressed, hfile.Snappy} {
			b.Run(fmt.Sprintf("%v,%v", name, c), func(b *testing.B) {
				layout, err := schema.NewLayout(name)
				if err != nil {
					b.Fatal(err)
				}
				batches := sampleRows(b, layout, 200_000)
				rows := 0
				b.ReportAllocs()
				before := cpu(b)
				for b.Loop() {
					rows += writeFiles(b, layout, c, batches)
				}
				b.ReportMetric((cpu(b)-before).Seconds()*1e6/float64(rows), "CPU-s/M")
			})
		}
	}
}

// writeFiles writes one file for each salt.
func writeFiles(b *testing.B, layout schema.Layout, c hfile.Compression, batches []*schema.Rows) (rows int) {
	dir, err := os.MkdirTemp("", "bulkload")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := newSorter(dir, layout, c, maxWindowBytes)
	bySalt := map[byte]*run{}
	for _, batch := range batches {
		for i := range batch.Len() {
			key := batch.Key(i)
			r := bySalt[key[0]]
			if r == nil {
				r = s.begin(&region.Region{}, false, false)
				bySalt[key[0]] = r
			}
			if batch.Time(i) <= 0 {
				continue
			}
			if err := s.add(b.Context(), r, key, batch.Time(i), batch.Cells(i)); err != nil {
				b.Fatal(err)
			}
			rows++
		}
	}
	if err := s.endAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	return rows
}

// newSorter returns a sorter whose table forgets rows.
func newSorter(dir string, layout schema.Layout, c hfile.Compression, windowBytes int) *sorter {
	return &sorter{
		local: &localDir{path: dir, family: layout.Family, compression: c}, table: discard{},
		windowBytes: windowBytes, runs: map[*region.Region]*run{},
	}
}

// discard is a table that forgets rows.
type discard struct{}

func (discard) Put(context.Context, *schema.Rows) error { return nil }
func (discard) Flush(context.Context) error             { return nil }

func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
