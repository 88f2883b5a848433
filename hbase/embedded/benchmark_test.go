package embedded

import (
	"context"
	"syscall"
	"testing"
	"time"

	"sluice/hbase/tabletest"
	"sluice/schema"
)

// usage is the CPU time of this process and the most memory that it had, in KiB.
func usage(b *testing.B) (time.Duration, int64) {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss
}

// fillTable puts n rows of the combined format in blocks of a batch's size, and
// returns the CPU time that making them took.
func fillTable(b *testing.B, table *Table, log *tabletest.Log, n int) time.Duration {
	b.Helper()
	layout := table.Layout()
	encoder := layout.NewRowEncoder(&log.Stream, tabletest.Fields)
	var making time.Duration
	var rows schema.Rows
	var lines []byte
	for done := 0; done < n; done += rows.Len() {
		b.StopTimer()
		began := time.Now()
		rows.Reset()
		lines = lines[:0]
		for range min(1<<10, n-done) {
			rec, offset := log.Next()
			at := len(lines)
			lines = append(lines, rec.Line...)
			rec.Line = lines[at:len(lines):len(lines)]
			encoder.Append(&rows, offset, rec)
		}
		making += time.Since(began)
		b.StartTimer()
		if err := table.Put(context.Background(), &rows); err != nil {
			b.Fatal(err)
		}
	}
	return making
}

func openBenchmark(b *testing.B) *Table {
	b.Helper()
	table, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := table.Close(); err != nil {
			b.Error(err)
		}
	})
	return table
}

// settle flushes and waits until no compaction is left.
func settle(b *testing.B, table *Table) {
	b.Helper()
	if err := table.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	for table.compacting.Load() > 0 {
		<-table.compacted
	}
}

// BenchmarkPut is one log, in the order of its time. Run it with -benchtime
// 1000000x: what is left in memory is flushed within it.
func BenchmarkPut(b *testing.B) {
	table := openBenchmark(b)
	log := tabletest.NewLog("web01", 1)
	b.ResetTimer()
	before, _ := usage(b)
	making := fillTable(b, table, log, b.N)
	settle(b, table)
	report(b, table, before+making, log.Offset)
}

// BenchmarkPutHosts is the worst case: the logs of eight hosts, all of the same
// time, one after the other.
func BenchmarkPutHosts(b *testing.B) {
	table := openBenchmark(b)
	b.ResetTimer()
	before, _ := usage(b)
	var making time.Duration
	var bytes int64
	for host := range 8 {
		log := tabletest.NewLog("web0"+string(rune('1'+host)), uint64(host))
		making += fillTable(b, table, log, b.N/8)
		bytes += log.Offset
	}
	settle(b, table)
	report(b, table, before+making, bytes)
}

// BenchmarkPutTogether is eight hosts at the same time, as a collector has them.
func BenchmarkPutTogether(b *testing.B) {
	table := openBenchmark(b)
	var logs []*tabletest.Log
	for host := range 8 {
		logs = append(logs, tabletest.NewLog("web0"+string(rune('1'+host)), uint64(host)))
	}
	b.ResetTimer()
	before, _ := usage(b)
	var making time.Duration
	for done := 0; done < b.N; done += 8 << 10 {
		for _, log := range logs {
			making += fillTable(b, table, log, 1<<10)
		}
	}
	settle(b, table)
	report(b, table, before+making, 8*logs[0].Offset)
}

func report(b *testing.B, table *Table, before time.Duration, bytes int64) {
	b.StopTimer()
	after, peak := usage(b)
	b.ReportMetric((after-before).Seconds()*1e6/float64(b.N), "cpu-s/Mrow")
	b.ReportMetric(float64(table.DiskBytes())/float64(b.N), "disk-B/row")
	b.ReportMetric(float64(bytes)/float64(b.N), "line-B/row")
	b.ReportMetric(float64(peak)/1024, "peak-MiB")
}

func BenchmarkScan(b *testing.B) {
	for name, s := range map[string]schema.Scan{
		"all": {}, "reverse": {Reverse: true}, "no stream of these": {Streams: []schema.StreamID{1}},
	} {
		b.Run(name, func(b *testing.B) {
			table := openBenchmark(b)
			fillTable(b, table, tabletest.NewLog("web01", 1), b.N)
			settle(b, table)
			b.ResetTimer()
			before, _ := usage(b)
			for _, err := range table.Scan(context.Background(), s) {
				if err != nil {
					b.Fatal(err)
				}
			}
			report(b, table, before, 0)
		})
	}
}
