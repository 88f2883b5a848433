package main

import (
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// maxLogBytes is what may wait to be written to standard error.
	maxLogBytes = 256 << 10
	// logFlushTimeout is how long the process waits for standard error at its end.
	logFlushTimeout = time.Second
)

// logWriter hands what is written to it on to w by a goroutine of its own, so that a
// reader that is slow or gone neither blocks nor ends the process. What finds no room,
// or cannot be written, is dropped and counted; the count is logged as soon as w takes
// something again. Write may be called by several goroutines.
type logWriter struct {
	w       io.Writer
	notices *slog.Logger // writes to w

	mu      sync.Mutex
	idle    *sync.Cond // the queue is empty, or its writer ended
	queue   [][]byte
	bytes   int // in queue
	dropped int64
	writing bool // the goroutine is at work; it ends when the queue is empty
}

// serialWriter lets several goroutines write to w, one after another: the log's and
// those of commands. A file does that by itself.
type serialWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (s *serialWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

func newLogWriter(w io.Writer) *logWriter {
	l := &logWriter{w: w, notices: slog.New(slog.NewTextHandler(w, nil))}
	l.idle = sync.NewCond(&l.mu)
	return l
}

// Write implements io.Writer. It never blocks and never fails.
func (l *logWriter) Write(message []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes+len(message) > maxLogBytes {
		l.dropped++
		return len(message), nil
	}
	l.queue = append(l.queue, slices.Clone(message))
	l.bytes += len(message)
	if !l.writing {
		l.writing = true
		go l.write()
	}
	return len(message), nil
}

// write writes until the queue is empty.
func (l *logWriter) write() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		message := l.queue[0]
		l.mu.Unlock()
		_, err := l.w.Write(message)
		l.mu.Lock()
		l.queue = l.queue[1:]
		l.bytes -= len(message)
		if err != nil {
			l.dropped++
			continue
		}
		if n := l.dropped; n > 0 {
			l.dropped = 0
			l.mu.Unlock()
			l.notices.Warn("log messages dropped while they could not be written", "count", n)
			l.mu.Lock()
		}
	}
	l.writing = false
	l.idle.Broadcast()
}

// flush waits until everything is written, or until the time is over.
func (l *logWriter) flush(timeout time.Duration) {
	late := false
	timer := time.AfterFunc(timeout, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.idle.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.writing && !late {
		l.idle.Wait()
	}
}
