package main

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/collector"
	"sluice/ingest/logfile"
)

// showProgress shows the progress of reading logs until stop is called: a bar on a terminal,
// otherwise a log message every ten seconds. With --quiet it shows nothing. The total is the size
// of the logs that are not compressed.
func showProgress(a *app, c *collector.Collector, logs []logfile.Log) (stop func()) {
	var total int64
	for _, l := range logs {
		if info, err := os.Stat(l.Path); err == nil && !l.Compressed() {
			total += info.Size()
		}
	}
	return showCounts(a, total, func() (lines, bytes int64) { return c.Counters.Lines.Load(), c.Counters.Bytes.Load() })
}

// showCounts shows the counters relative to a total of bytes until stop is called.
func showCounts(a *app, total int64, counts func() (lines, bytes int64)) (stop func()) {
	if a.cli.Quiet {
		return func() {}
	}
	file, isFile := a.stderr.(*os.File)
	terminal := isFile && isTerminal(file)
	every := 10 * time.Second
	if terminal {
		every = 200 * time.Millisecond
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		began := time.Now()
		for {
			select {
			case <-done:
				if terminal {
					fmt.Fprint(file, "\r\x1b[K")
				}
				return
			case <-ticker.C:
				lines, bytes := counts()
				rate := float64(lines) / time.Since(began).Seconds()
				if terminal {
					fmt.Fprintf(file, "\r\x1b[K%s %d lines, %.0f MB, %.0f lines/s", bar(bytes, total), lines, float64(bytes)/1e6, rate)
				} else {
					a.log.Info("reading logs", "lines", lines, "bytes", bytes, "lines_per_second", int(rate))
				}
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// progressDelay is the time after which the progress of a query is shown.
const progressDelay = 2 * time.Second

// showScan shows on a terminal how many of total rows were read, after progressDelay and until stop
// is called. It shows nothing with --quiet or without a terminal.
func showScan(a *app, total int64, read *atomic.Int64) (stop func()) {
	file, ok := a.stderr.(*os.File)
	if a.cli.Quiet || !ok || !isTerminal(file) {
		return func() {}
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		wait, drawn := progressDelay, false
		for {
			select {
			case <-done:
				if drawn {
					fmt.Fprint(file, "\r\x1b[K")
				}
				return
			case <-time.After(wait):
				wait, drawn = 200*time.Millisecond, true
				fmt.Fprintf(file, "\r\x1b[K%s %d rows", bar(read.Load(), total), read.Load())
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// bar returns a progress bar with a percentage. It is empty if total is not known (0 or less).
func bar(done, total int64) string {
	const width = 30
	if total <= 0 {
		return ""
	}
	n := min(int(done*width/total), width)
	return fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("=", n), strings.Repeat(" ", width-n), min(done*100/total, 100))
}
