package main

import (
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// maxLogBytes is the limit of bytes that are queued for one output.
	maxLogBytes = 256 << 10
	// logFlushTimeout is how long the process waits for queued messages to be written when it ends.
	logFlushTimeout = time.Second
)

// logWriter queues messages and writes them to w from its own goroutine, so that a slow or closed
// output neither blocks nor ends the process. A message that does not fit into the queue or cannot
// be written is dropped and counted; the count is logged after the next successful write. Write may
// be called by several goroutines.
type logWriter struct {
	w       io.Writer
	notices *slog.Logger // writes to w

	mu      sync.Mutex
	idle    *sync.Cond // signaled when the queue is empty and when the time of flush is over
	queue   [][]byte
	bytes   int // size of queue
	dropped int64
	writing bool // the goroutine is running; it ends when the queue is empty
}

// serialWriter serializes writes to w, because the log's goroutine and those of commands write to
// it at the same time. An *os.File does not need it.
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

// write writes until the queue is empty. A message counts against maxLogBytes until it is written.
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

// flush waits until the queue is written or timeout is over.
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
