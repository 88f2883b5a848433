package hbase_test

import (
	"syscall"
	"testing"
	"time"

	"sluice/hbase"
	"sluice/schema"
	"sluice/table/tabletest"
	"sluice/test/cluster"
)

const benchmarkRows = 200_000

// client returns the CPU time of this process.
func client(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure reports rows per second, and the client's CPU seconds for a million rows.
func measure(b *testing.B, do func() int) {
	b.Helper()
	b.ResetTimer()
	rows, cpu := 0, client(b)
	for b.Loop() {
		rows += do()
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric((client(b)-cpu).Seconds()*1e6/float64(rows), "cpu-s/Mrow")
}

// BenchmarkTable writes and scans rows of eleven fields, host and logbody, with a real cluster.
func BenchmarkTable(b *testing.B) {
	c := cluster.Start(b, cluster.Options{})
	layout := typed(b)
	table := newTable(b, c, layout, hbase.Options{})
	log := tabletest.NewLog("web01", 1)
	var blocks []*schema.Rows
	for range benchmarkRows / 2000 {
		blocks = append(blocks, lines(layout, log, 2000))
	}
	b.Run("put", func(b *testing.B) {
		measure(b, func() int {
			for _, rows := range blocks {
				if err := table.Put(b.Context(), rows); err != nil {
					b.Fatal(err)
				}
			}
			if err := table.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			return benchmarkRows
		})
	})
	b.Run("scan", func(b *testing.B) {
		measure(b, func() int { return count(b, table, schema.Scan{}) })
	})
	b.Run("scan logbody of status 404", func(b *testing.B) {
		filter := &schema.Filter{Op: schema.Equal, Field: "status", Kind: schema.Int, Num: 404}
		measure(b, func() int { return count(b, table, schema.Scan{Filter: filter, Cells: []string{"logbody"}}) })
	})
	if err := table.Close(); err != nil {
		b.Error(err)
	}
}
