package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/health"
	"sluice/ingest/receiver"
)

const (
	// silentAfter so long without a heartbeat a host is called silent.
	silentAfter = 2 * time.Minute
	// pausedAfter so long a pause, or something that fails, is an error.
	pausedAfter = 10 * time.Minute
	// statusTimeout is how long a status request and its answer may take.
	statusTimeout = 10 * time.Second
)

// serveStatus answers an uptime checker and scrapers until ctx is done.
func (c *collectorCmd) serveStatus(ctx context.Context, a *app, group *errgroup.Group, s *stores, r *receiver.Receiver) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.StatusListen)
	if err != nil {
		return usage("--status-listen: %w", err)
	}
	began := time.Now()
	look := func() health.Fleet {
		n := &s.collector.Counters
		return health.Fleet{Now: time.Now(), Host: host, Began: began, Hosts: r.Hosts(), State: s.collector.State(), Counts: health.Counts{
			Lines: n.Lines.Load(), Bytes: n.Bytes.Load(), Rows: n.Rows.Load(), ParseErrors: n.ParseErrors.Load(), Segments: n.Segments.Load(), Batches: n.Batches.Load(),
		}}
	}
	server := &http.Server{
		Handler:     health.Handler(look, health.Thresholds{SilentAfter: silentAfter, PausedAfter: pausedAfter}, c.SpoolMax<<20),
		ReadTimeout: statusTimeout, WriteTimeout: statusTimeout, IdleTimeout: statusTimeout, MaxHeaderBytes: 16 << 10,
	}
	a.log.Info("telling how it is", "address", listener.Addr())
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error { <-ctx.Done(); return server.Close() })
	return nil
}
