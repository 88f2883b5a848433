package main

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// pacer makes one response at a time and then waits idleFactor times as long as it took (at most
// maxIdle), so that responses use at most a quarter of one processor regardless of the number of
// requests.
type pacer struct {
	next http.Handler
	turn chan struct{} // contains one element while no response may begin
}

const (
	idleFactor = 3
	// maxIdle is the longest pause: a response that took long mostly waited for a processor.
	maxIdle = time.Second
)

// paced limits the CPU use of responses. Pages have a limit of their own, separate from /health and
// /metrics, so that they do not delay monitoring systems.
func paced(next http.Handler) http.Handler {
	pages, checks := &pacer{next, make(chan struct{}, 1)}, &pacer{next, make(chan struct{}, 1)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/health") || strings.HasPrefix(r.URL.Path, "/metrics") {
			checks.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == requestsPath { // limited by requestsPage, which runs one process at a time
			next.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// ServeHTTP implements http.Handler. The response is buffered in memory, so that a slow client does
// not delay others.
func (p *pacer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := answer{header: w.Header(), status: http.StatusOK}
	if !p.make(&answer, r) {
		return
	}
	w.WriteHeader(answer.status)
	w.Write(answer.body.Bytes()) //nolint:errcheck // the client is gone
}

func (p *pacer) make(w *answer, r *http.Request) bool {
	select {
	case p.turn <- struct{}{}:
	case <-r.Context().Done():
		return false
	}
	began := time.Now()
	defer func() {
		time.AfterFunc(min(idleFactor*time.Since(began), maxIdle), func() { <-p.turn })
	}()
	p.next.ServeHTTP(w, r)
	return true
}

// answer is an http.ResponseWriter that writes to memory.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
