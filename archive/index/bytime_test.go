package index

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sluice/archive"
	"sluice/ingest/segment"
	"sluice/schema"
)

// hosts is an archive of hosts with lines at the same times: on each day a batch a second, each in a
// file of its own.
func hosts(t *testing.T, hosts, days, batches int) memory {
	t.Helper()
	m := memory{}
	for h := range hosts {
		s := &schema.Stream{ID: schema.StreamID(h + 1), Host: fmt.Sprintf("web%02d", h), Path: "/var/log/access.log", Format: "common"}
		at := int64(0)
		for day := range days {
			for i := range batches {
				b := batch(s, at, day, day*batches+i, 1)
				at = b.Range.End
				m[fmt.Sprintf("202609%02d/%s/access.%s-%06d.log.gz", 3+day, s.Host, s.Host, i)] = file(t, b)
			}
		}
	}
	return m
}

// timeOf returns the time of a line.
func timeOf(t *testing.T, data []byte) int64 {
	var day, second int
	if _, err := fmt.Sscanf(string(data), "192.0.2.1 - - [%d/Sep/2026:10:00:%d +0200]", &day, &second); err != nil {
		t.Errorf("%q: %v", data, err)
	}
	return time.Date(2026, time.September, day, 8, 0, second, 0, time.UTC).UnixNano()
}

func TestHostsAreReadTogetherInTheOrderOfTime(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one worker: several are in order but for what each has in hand
	const hostCount, days, batches = 5, 3, 4
	c := read(t, hosts(t, hostCount, days, batches))
	var times []int64
	seen := map[int32]bool{}
	err := c.WalkByTime(t.Context(), func(worker int, i int32, data []byte, bad *segment.FormatError) (int64, error) {
		if bad != nil || worker != 0 {
			t.Errorf("%v, worker %d", bad, worker)
		}
		seen[i] = true
		times = append(times, timeOf(t, data))
		return times[len(times)-1], nil
	})
	if err != nil || len(times) != hostCount*days*batches || len(seen) != len(times) {
		t.Fatalf("%d members, %d different ones: %v", len(times), len(seen), err)
	}
	if !slices.IsSorted(times) {
		t.Errorf("not in the order of time: %v", times)
	}
}

// counting counts open files.
type counting struct {
	memory
	open, most atomic.Int64
}

type countingReader struct {
	archive.Reader
	c *counting
}

func (c *counting) Open(ctx context.Context, name string) (archive.Reader, error) {
	r, err := c.memory.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	for n := c.open.Add(1); ; {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			return countingReader{r, c}, nil
		}
	}
}

func (r countingReader) Close() error {
	r.c.open.Add(-1)
	return r.Reader.Close()
}

// More hosts than may be open are all read; an error ends the walk, and every file is closed.
func TestFilesThatAreReadByTimeAreBoundedAndClosed(t *testing.T) {
	const hostCount = maxOpenFiles + 5
	a := &counting{memory: hosts(t, hostCount, 1, 2)}
	c := read(t, a)
	a.most.Store(0)
	var members atomic.Int64
	err := c.WalkByTime(t.Context(), func(_ int, _ int32, data []byte, _ *segment.FormatError) (int64, error) {
		members.Add(1)
		return timeOf(t, data), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if members.Load() != 2*hostCount || a.most.Load() != maxOpenFiles || a.open.Load() != 0 {
		t.Errorf("%d members; at most %d files were open, %d are", members.Load(), a.most.Load(), a.open.Load())
	}
	broken := errors.New("broken")
	members.Store(0)
	err = c.WalkByTime(t.Context(), func(int, int32, []byte, *segment.FormatError) (int64, error) {
		if members.Add(1) > 10 {
			return 0, broken
		}
		return 0, nil
	})
	if !errors.Is(err, broken) || a.open.Load() != 0 {
		t.Errorf("%v, %d files are open", err, a.open.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.WalkByTime(ctx, func(int, int32, []byte, *segment.FormatError) (int64, error) { return 0, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
