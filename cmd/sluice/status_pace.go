package main

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// pacer makes one answer at a time, and after each waits idleFactor times as long as it
// took, so that answers take at most a quarter of one processor however often clients ask.
type pacer struct {
	next http.Handler
	turn chan struct{} // holds one element while no answer may begin
}

const (
	idleFactor = 3
	maxIdle    = time.Second // an answer that took long waited for a processor most of the time
)

// paced bounds what answers cost: those for people, and apart from them /health and
// /metrics, so that pages do not delay an uptime checker.
func paced(next http.Handler) http.Handler {
	pages, checks := &pacer{next, make(chan struct{}, 1)}, &pacer{next, make(chan struct{}, 1)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/health") || strings.HasPrefix(r.URL.Path, "/metrics") {
			checks.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == requestsPath { // it makes one page at a time, in a process of its own
			next.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// ServeHTTP implements http.Handler. The answer is made in memory: a client that reads
// slowly delays no other.
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

// answer is an http.ResponseWriter in memory.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
