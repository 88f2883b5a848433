package main

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/monitor"
	"sluice/monitor/dashboard"
	"sluice/monitor/history"
	"sluice/schema"
)

// watched is the state of a process that the status server shows.
type watched struct {
	look       func() monitor.Fleet
	thresholds monitor.Thresholds
	history    *history.Store                                                 // nil: none
	logs       func(host string, limit int) (logs []dashboard.Log, more bool) // nil: none
	requests   *requestsPage                                                  // nil: no columnar table
}

// handler returns the handler of /health, the metrics and the pages. names are the host names that
// requests may use.
func (w *watched) handler(names []string) (http.Handler, error) {
	cfg := dashboard.Config{Look: w.look, Thresholds: w.thresholds, History: w.history, Logs: w.logs}
	if w.requests != nil {
		cfg.Requests = requestsPath
	}
	pages, err := dashboard.Handler(cfg)
	if err != nil {
		return nil, err
	}
	if w.requests != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /", pages)
		mux.Handle("GET "+requestsPath, dashboard.Secured(w.requests))
		pages = mux
	}
	return monitor.Handler(w.look, w.thresholds, names, pages), nil
}

// historyEnd is the time limit for writing the last minute of the history when the process ends.
const historyEnd = time.Second

// keepHistory keeps the history of hosts in --data until end is called.
func (a *app) keepHistory() (s *history.Store, end func()) {
	s = history.New(history.Config{FS: vfs.OS{}, Dir: filepath.Join(a.cli.Data, "history"), Log: a.log})
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	return s, func() {
		cancel()
		select {
		case <-done:
		case <-time.After(historyEnd): // a disk that does not answer must not delay the exit
		}
	}
}

// logsOf returns a function that lists the logs of a host with the newest lines from the
// checkpoint. received returns the received position of a stream; if it is nil, Read is the
// greatest size of the log that was seen.
func logsOf(file *checkpoint.File, received func(*checkpoint.Stream) int64) func(host string, limit int) ([]dashboard.Log, bool) {
	return func(host string, limit int) (logs []dashboard.Log, more bool) {
		var found []*checkpoint.Stream
		streams := file.Streams()
		file.Update(func() {
			found = slices.DeleteFunc(streams, func(t *checkpoint.Stream) bool { return t.Host != host })
			slices.SortStableFunc(found, func(a, b *checkpoint.Stream) int { return cmp.Compare(b.Last, a.Last) })
			more, found = len(found) > limit, found[:min(len(found), limit)]
			for _, t := range found {
				x := dashboard.Log{Path: schema.PathText(t.Path), Read: max(t.SeenBytes, t.Stored), Stored: t.Stored, Gone: t.GoneUnix > 0}
				if t.Last > 0 {
					x.Newest = time.Unix(0, t.Last)
				}
				logs = append(logs, x)
			}
		})
		if received != nil {
			for i, t := range found {
				logs[i].Read = max(received(t), logs[i].Stored)
			}
		}
		return logs, more
	}
}
