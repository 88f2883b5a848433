package hdfs

import (
	"fmt"
	"path"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
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

// BenchmarkStoreBesidePut stores files, compared and renamed, and puts them with Hadoop's own shell,
// less its start, the time for putting empty files: one at a time, and two. It reports the median
// of the rounds (-benchtime 5x).
func BenchmarkStoreBesidePut(b *testing.B) {
	const size = 500e6
	c := cluster.Start(b, cluster.Options{})
	a := openIn(b, c, newRoot(b), Options{})
	local, _ := noise(b, size)
	empty := writeFile(b, "")
	for _, files := range []int{1, 2} {
		b.Run(fmt.Sprintf("%d", files), func(b *testing.B) {
			rounds := map[string][]float64{}
			for b.Loop() {
				dir := path.Join(string(a.root), time.Now().Format("150405.000"))
				store := measure(b, unix.RUSAGE_SELF, func() error {
					return atOnce(files, func(i int) error {
						return a.Store(b.Context(), local, fmt.Sprintf("%s/%d.gz", path.Base(dir), i))
					})
				})
				put := func(local, name string) cost {
					return measure(b, unix.RUSAGE_CHILDREN, func() error {
						return atOnce(files, func(i int) error {
							_, err := c.HDFS("-put", local, path.Join(dir, fmt.Sprintf("%s%d", name, i)))
							return err
						})
					})
				}
				start := put(empty, "empty")
				alone := put(local, "put").less(start)
				bytes := float64(files) * size
				for who, x := range map[string]cost{"store": store, "put": alone} {
					rounds[who+"-MB/s"] = append(rounds[who+"-MB/s"], bytes/1e6/x.took.Seconds())
					rounds[who+"-CPU-s/GB"] = append(rounds[who+"-CPU-s/GB"], x.cpu.Seconds()/bytes*1e9)
				}
				rounds["store/put"] = append(rounds["store/put"], alone.took.Seconds()/store.took.Seconds())
				rounds["put-start-s"] = append(rounds["put-start-s"], start.took.Seconds())
				if err := a.calls.again(b.Context(), "remove", func(c *client) error { return c.RemoveAll(string(a.root)) }); err != nil {
					b.Fatal(err)
				}
			}
			for name, values := range rounds {
				slices.Sort(values)
				b.ReportMetric(values[len(values)/2], name)
			}
		})
	}
}

// atOnce calls do n times at the same time.
func atOnce(n int, do func(i int) error) error {
	var group errgroup.Group
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	return group.Wait()
}
