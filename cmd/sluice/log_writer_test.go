package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// gate is a writer that blocks or returns an error until it is opened.
type gate struct {
	mu   sync.Mutex
	open *sync.Cond
	shut bool
	err  error
	got  bytes.Buffer
}

func newGate(shut bool, err error) *gate {
	g := &gate{shut: shut, err: err}
	g.open = sync.NewCond(&g.mu)
	return g
}

func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.shut {
		g.open.Wait()
	}
	if g.err != nil {
		return 0, g.err
	}
	return g.got.Write(b)
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut, g.err = false, nil
	g.open.Broadcast()
}

func (g *gate) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.String()
}

// TestLoggingNeverBlocksAndCountsWhatIsDropped logs to a writer that blocks and to one that fails.
func TestLoggingNeverBlocksAndCountsWhatIsDropped(t *testing.T) {
	const messages = 10000
	for name, g := range map[string]*gate{"blocked": newGate(true, nil), "failing": newGate(false, errors.New("no reader"))} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // earlier tests may have left processes
			l := newLogWriter(g)
			log := slog.New(slog.NewTextHandler(l, nil))
			for i := range messages {
				log.Info("message", "i", i)
			}
			l.flush(0)
			if g.text() != "" {
				t.Fatalf("it wrote %.100q", g.text())
			}
			if l.bytes > maxLogBytes {
				t.Errorf("%d bytes wait", l.bytes)
			}
			if name == "failing" {
				l.flush(time.Minute) // every message was tried
			}
			g.release()
			log.Info("last")
			l.flush(time.Minute)
			written := strings.Count(g.text(), "msg=message") + strings.Count(g.text(), "msg=last")
			var dropped int
			for line := range strings.Lines(g.text()) {
				if _, count, ok := strings.Cut(line, `msg="log messages dropped while they could not be written" count=`); ok {
					var n int
					if _, err := fmt.Sscan(count, &n); err != nil {
						t.Fatal(err)
					}
					dropped += n
				}
			}
			if dropped == 0 || written+dropped != messages+1 {
				t.Errorf("%d written and %d dropped of %d", written, dropped, messages+1)
			}
		})
	}
}

// TestMessagesAreWrittenInOrderAndWhole writes from several goroutines. Messages of each one must
// be written complete and in order.
func TestMessagesAreWrittenInOrderAndWhole(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // earlier tests may have left processes
	g := newGate(false, nil)
	l := newLogWriter(g)
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for i := range 100 {
				fmt.Fprintf(l, "%d %d\n", w, i)
			}
		})
	}
	group.Wait()
	l.flush(time.Minute)
	next := map[int]int{}
	for line := range strings.Lines(g.text()) {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d %d\n", &w, &i); err != nil || next[w] != i {
			t.Fatalf("%q after %d: %v", line, next[w], err)
		}
		next[w]++
	}
	if fmt.Sprint(next) != "map[0:100 1:100 2:100 3:100]" {
		t.Errorf("written: %v", next)
	}
}
