package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"sluice/ingest/admission"
	"sluice/monitor"
)

// statusFlags are the flags of the status server and of the limits of /health.
type statusFlags struct {
	statusAccess
	messageFlags
	StatusListen string        `placeholder:"HOST:PORT" help:"Address of the status server, such as 127.0.0.1:4142; :4142 is the same. It serves pages for a browser (/), /health, /metrics (Prometheus) and /metrics.json (Flume's format). A network address needs --status-tls-cert and a token or client certificates (default: no server)."`
	StatusName   []string      `placeholder:"NAME" help:"Host names that requests to --status-listen may use, beside its own name, this machine's name and IP addresses. A request for any other name is rejected, as it could come from a web page of another site (DNS rebinding)."`
	MaxLag       time.Duration `default:"10m" placeholder:"TIME" help:"Age of the oldest line that is not stored at which /health and status report ERROR; for the archive, --roll-interval is added. The same limit applies to a paused governor and a failing sink."`
}

const (
	// silentAfter is the SilentAfter threshold of agents and runs.
	silentAfter = 2 * time.Minute
	// statusTimeout is the time limit for reading a status request and for writing its response.
	statusTimeout = 10 * time.Second
	// statusConns and statusConnsPerPeer are the limits of open connections to the status server,
	// in total and of one peer. Monitoring systems need only a few, and each takes a file
	// descriptor.
	statusConns, statusConnsPerPeer = 64, 16
	// statusShare limits the connections to one in statusShare of the file descriptors.
	statusShare = 8
)

func (f *statusFlags) check() error {
	if err := f.messageFlags.check(); err != nil {
		return err
	}
	if f.MaxLag <= 0 {
		return usage("--max-lag must be greater than 0")
	}
	if f.StatusListen == "" {
		return nil
	}
	address, err := net.ResolveTCPAddr("tcp", f.address())
	if err != nil {
		return usage("--status-listen %s: %w", f.StatusListen, err)
	}
	return f.statusAccess.check("--status-listen "+f.StatusListen, address)
}

// address returns the address of the status server. Without a host it is the loopback address.
func (f *statusFlags) address() string {
	if strings.HasPrefix(f.StatusListen, ":") {
		return "127.0.0.1" + f.StatusListen
	}
	return f.StatusListen
}

// serve starts the status server; end stops it. Without --status-listen it does nothing.
func (f *statusFlags) serve(a *app, w watched) (end func(), err error) {
	if f.StatusListen == "" {
		return func() {}, nil
	}
	secured, err := f.tls()
	if err != nil {
		return nil, err
	}
	address := f.address()
	listener, err := (&net.ListenConfig{}).Listen(a.ctx, "tcp", address)
	if err != nil {
		return nil, usage("--status-listen: %w", err)
	}
	openFiles, err := maxOpenFiles()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	conns := min(statusConns, max(2, openFiles/statusShare))
	gate := admission.New(admission.Limits{Conns: conns, ConnsPerPeer: min(statusConnsPerPeer, conns)}, a.log.With("listener", "status"), nil)
	shown := w
	shown.look = func() monitor.Fleet { return withWarnings(w.look(), "status port", gate) }
	handler, err := shown.handler(f.names(address))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:     f.statusAccess.handler(paced(handler)),
		ReadTimeout: statusTimeout, WriteTimeout: statusTimeout, IdleTimeout: statusTimeout, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), // the gate logs what matters
	}
	connections := gate.Listener(listener)
	if secured != nil {
		connections = tls.NewListener(connections, secured)
	}
	a.log.Info("status server listening", "address", listener.Addr(), "tls", secured != nil, "token", f.StatusTokenFile != "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(connections); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("status server failed", "err", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			server.Close() //nolint:errcheck // open connections are cut off
		}
		<-done
	}, nil
}

// names returns the host names that requests to the status server at address may use.
func (f *statusFlags) names(address string) []string {
	names := slices.Clone(f.StatusName)
	if host, _, err := net.SplitHostPort(address); err == nil {
		names = append(names, host)
	}
	if host, err := os.Hostname(); err == nil {
		short, _, _ := strings.Cut(host, ".")
		names = append(names, host, short)
	}
	return names
}

// withWarnings returns the fleet with the warnings of a listener's connection limits added.
func withWarnings(f monitor.Fleet, listener string, gate *admission.Gate) monitor.Fleet {
	f.Problems = slices.Clone(f.Problems)
	for _, w := range gate.Warnings() {
		f.Problems = append(f.Problems, monitor.Connections.New(listener+": "+w))
	}
	return f
}
