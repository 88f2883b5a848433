package hdfs

import (
	"path"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/test/cluster"
)

// cost is what something took: by the clock, and of the CPU.
type cost struct{ took, cpu time.Duration }

func (c cost) less(o cost) cost { return cost{c.took - o.took, c.cpu - o.cpu} }

// measure takes the CPU of this process, or of its children that have ended.
func measure(b *testing.B, who int, do func() error) cost {
	b.Helper()
	used := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began, before := time.Now(), used()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return cost{time.Since(began), used() - before}
}

// BenchmarkStoreBesidePut stores a file, compared and renamed, and puts it with
// Hadoop's own shell, whose start, that of putting an empty file, is taken off.
func BenchmarkStoreBesidePut(b *testing.B) {
	const size = 500e6
	c := cluster.Start(b, cluster.Options{})
	a := openIn(b, c, newRoot(b), Options{})
	local, _ := noise(b, size)
	empty := writeFile(b, "")
	for b.Loop() {
		dir := path.Join(a.root, time.Now().Format("150405.000"))
		store := measure(b, unix.RUSAGE_SELF, func() error { return a.Store(b.Context(), local, path.Base(dir)+"/f.gz") })
		put := func(local, name string) cost {
			return measure(b, unix.RUSAGE_CHILDREN, func() error { _, err := c.HDFS("-put", local, path.Join(dir, name)); return err })
		}
		start := put(empty, "empty")
		alone := put(local, "put.gz").less(start)
		for _, x := range []struct {
			who string
			cost
		}{{"store", store}, {"put", alone}} {
			b.ReportMetric(size/1e6/x.took.Seconds(), x.who+"-MB/s")
			b.ReportMetric(x.cpu.Seconds()/size*1e9, x.who+"-CPU-s/GB")
		}
		b.ReportMetric(start.took.Seconds(), "put-start-s")
		if err := a.again(b.Context(), "remove", func(c *client) error { return c.RemoveAll(a.root) }); err != nil {
			b.Fatal(err)
		}
	}
}
