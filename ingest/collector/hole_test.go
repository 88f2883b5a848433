package collector

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// batch returns the part of a log between the offsets from and to.
func batch(s *checkpoint.Stream, log string, from, to int) schema.Batch {
	data := []byte(log[from:to])
	return schema.Batch{Stream: &s.Stream, Range: schema.Range{Start: int64(from), End: int64(to)}, Data: data, Lines: logfile.CountLines(data)}
}

// numbered returns n lines of ten bytes each.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "bad %05d\n", i)
	}
	return b.String()
}

func TestABatchAfterAGapIsRejected(t *testing.T) {
	r := newRig(t, nil)
	log := numbered(10)
	s := r.stream(t, "web01", log, 2)
	for _, test := range []struct {
		what             string
		from, to         int
		claimed, offered int64
		want             error
	}{
		{"nothing is received", 10, 20, 0, 0, ErrHole},
		{"the beginning", 0, 50, 0, 0, nil},
		{"behind what was offered and not taken", 70, 80, 0, 70, errAhead},
		{"behind that", 80, 90, 0, 70, ErrHole},
		{"what was received, and more", 30, 60, 0, 50, nil},
		{"what follows", 60, 70, 0, 60, nil},
		{"behind a claim that is no position of the batch", 90, 100, 80, 70, ErrHole},
		{"where the claim ends", 80, 100, 80, 80, nil},
	} {
		err := r.collector.Receive(t.Context(), s, batch(s, log, test.from, test.to), test.claimed, test.offered)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.what, err, test.want)
		}
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "but for the gap", log[:70], log[80:])
	if s.Stored != 100 || fmt.Sprint(s.Missing) != "[[70,80)]" {
		t.Errorf("stored %d, missing %v", s.Stored, s.Missing)
	}
}

// TestLinesOfAGapAreStoredLater checks that the lines of a gap are stored once, although lines
// after them are stored, also after a restart: a claim does not make lines count as received.
func TestLinesOfAGapAreStoredLater(t *testing.T) {
	r := newRig(t, func(c *Config) { c.RollBytes = 1 })
	log := numbered(30)
	s := r.stream(t, "web01", log, 2)
	put := func(from, to int, claimed int64) {
		t.Helper()
		s = r.cp.Stream(s.ID)
		if err := r.collector.Receive(t.Context(), s, batch(s, log, from, to), claimed, claimed); err != nil {
			t.Fatal(err)
		}
	}
	stored := func(want int64, missing string) {
		t.Helper()
		if err := r.collector.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.Stored != want || fmt.Sprint(s.Missing) != missing {
			t.Errorf("stored %d, missing %v; want %d, %s", s.Stored, s.Missing, want, missing)
		}
	}
	put(0, 100, 0)
	put(200, 250, 200)
	stored(250, "[[100,200)]")
	r.restart(t)
	put(250, 300, 250)
	put(100, 150, 0)
	stored(300, "[[150,200)]")
	r.restart(t)
	put(100, 200, 0)
	put(0, 300, 0)
	stored(300, "[]")
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "the gap was filled", log)
	if s.Lines != 30 {
		t.Errorf("%d lines are counted", s.Lines)
	}
}

// TestSegmentsBehindAHoleLeaveTheSpool checks that stored segments do not wait forever for a hole
// before them, which a failing disk, or a collector that accepted any batch, may have left.
func TestSegmentsBehindAHoleLeaveTheSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		log := numbered(30)
		s := r.stream(t, "web01", log, 2)
		if err := r.collector.Append(t.Context(), s, batch(s, log, 100, 200)); err != nil {
			t.Fatal(err)
		}
		if err := r.collector.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.restart(t)
		s = r.cp.Stream(s.ID)
		if err := r.collector.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := r.collector.State().Segments; n != 1 {
			t.Fatalf("%d segments wait for the hole", n)
		}
		time.Sleep(holeAfter)
		if err := r.collector.Tick(time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := r.collector.State().Segments; n != 0 {
			t.Errorf("%d segments wait still", n)
		}
		r.restart(t) // the gap must be in the saved checkpoint
		s = r.cp.Stream(s.ID)
		if s.Stored != 200 || fmt.Sprint(s.Missing) != "[[0,100)]" {
			t.Errorf("stored %d, missing %v", s.Stored, s.Missing)
		}
		if err := r.collector.Receive(t.Context(), s, batch(s, log, 0, 300), 0, 0); err != nil {
			t.Fatal(err)
		}
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.holds(t, "the hole was filled", log)
	})
}

// TestOneHostDoesNotFillTheSpoolForOthers checks the shares of hosts that send until they are
// rejected, also after a restart.
func TestOneHostDoesNotFillTheSpoolForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.SpoolMaxBytes, c.HostShare, c.SpoolAhead = 40_000, 3, true })
		away := true
		var mu sync.Mutex
		r.archive.Fail = func() error {
			mu.Lock()
			defer mu.Unlock()
			if away {
				return errors.New("the archive is away")
			}
			return nil
		}
		log := collectortest.Log(3000) + "\n"
		fill := func(host string, inode uint64) (sent int) {
			t.Helper()
			s := r.stream(t, host, log, inode)
			for sent = int(r.collector.Received(s)); ; {
				end := sent + strings.IndexByte(log[sent:], '\n') + 1
				if err := r.collector.Receive(t.Context(), s, batch(s, log, sent, end), 0, 0); err != nil {
					if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "for host "+host) {
						t.Fatal(err)
					}
					return sent
				}
				sent = end
			}
		}
		fill("evil", 1)
		r.restart(t)
		fill("evil", 1)
		shares := r.collector.State().Shares
		if x := shares["evil"]; x.OverSeconds == 0 || x.Bytes < 29_000 || x.Bytes > 31_000 {
			t.Errorf("%+v of 40,000 bytes", x)
		}
		honest := fill("web01", 2)
		if x := r.collector.State().Shares["web01"]; x.Bytes < 7_000 || honest == 0 {
			t.Errorf("the other has %+v", x)
		}
		third := fill("web02", 3)
		if third == 0 {
			t.Error("there is no room for a third")
		}
		mu.Lock()
		away = false
		mu.Unlock()
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.collector.State().Shares) > 0 || r.collector.spool.quota.bytes != 0 || r.collector.spool.quota.batches != 0 {
			t.Errorf("what is counted of an empty spool: %+v, %d bytes, %d batches", r.collector.State().Shares, r.collector.spool.quota.bytes, r.collector.spool.quota.batches)
		}
	})
}
