package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/bench/peers"
	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// webAgent is `sluice agent` with an operator's usual settings as a webReader. It sends to a sink in
// this process, because a collector is on another machine.
type webAgent struct {
	cmd   *exec.Cmd
	errs  bytes.Buffer
	ended chan error
	sink  *agentSink
	end   context.CancelFunc // of the sink
	sunk  chan error
}

// startWebAgent follows LOGS/*.log, with its checkpoint below home.
func startWebAgent(ctx context.Context, command Command, logs, home string) (*webAgent, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &webAgent{ended: make(chan error, 1), sunk: make(chan error, 1), sink: &agentSink{at: map[schema.StreamID]int64{}}}
	ctx, a.end = context.WithCancel(ctx)
	go func() { a.sunk <- a.sink.server().Serve(ctx, listener) }()
	a.cmd = command(ctx, "agent", "--quiet", "--data", filepath.Join(home, "data"), "--host", "bench", "--format", "combined",
		"--collector", listener.Addr().String(), filepath.Join(logs, "*.log"))
	a.cmd.Stderr = &a.errs
	if err := a.cmd.Start(); err != nil {
		a.end()
		return nil, errors.Join(err, <-a.sunk)
	}
	go func() { a.ended <- a.cmd.Wait() }()
	return a, nil
}

func (a *webAgent) cpu() (time.Duration, error) { return peers.CPU(a.cmd.Process.Pid) }

// finish implements webReader. The lines are those that the sink has received, each once.
func (a *webAgent) finish(ctx context.Context, lines int64) (int64, error) {
	taken := func() (int64, error) { return a.sink.lines.Load(), nil }
	err := awaitLines(ctx, lines, runnerPoll, runnerStalls, taken)
	return a.sink.lines.Load(), errors.Join(err, a.stop())
}

// stop stops the agent with SIGTERM, and then the sink.
func (a *webAgent) stop() error {
	err := a.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	if ended := <-a.ended; ended != nil {
		err = errors.Join(err, fmt.Errorf("sluice agent: %w: %s", ended, bytes.TrimSpace(a.errs.Bytes())))
	}
	a.end()
	return errors.Join(err, <-a.sunk)
}

// agentSink is a collector that counts lines and discards them: it reports each batch as stored at
// once.
type agentSink struct {
	lines atomic.Int64

	mu sync.Mutex
	at map[schema.StreamID]int64 // position up to which a stream was received
}

func (s *agentSink) server() *avrorpc.Server {
	server := &avrorpc.Server{}
	for _, v := range protocol.Versions() {
		server.Services = append(server.Services, avrorpc.Service{Protocol: v.Protocol(), Open: func(context.Context, avrorpc.Peer) (avrorpc.Session, error) {
			return sinkSession{s, v}, nil
		}})
	}
	return server
}

// sinkSession is an agent's connection to an agentSink.
type sinkSession struct {
	*agentSink
	version protocol.Version
}

// Close implements avrorpc.Session.
func (sinkSession) Close() {}

// Begin implements avrorpc.Session.
func (s sinkSession) Begin(_ context.Context, c *avrorpc.Call) (avrorpc.Finisher, error) {
	switch c.Message {
	case protocol.MessageHello:
		return s.hello(c.Params)
	case protocol.MessageAppend:
		return s.append(c.Params)
	}
	d := protocol.Directive{}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return d.AppendVersion(b, s.version), nil }), nil
}

func (s sinkSession) hello(params []byte) (avrorpc.Finisher, error) {
	var hello protocol.Hello
	if err := hello.Decode(params); err != nil {
		return nil, err
	}
	w := protocol.Welcome{Collector: "bench", MaxBatchBytes: batchBytes, Compressions: []protocol.Compression{protocol.None, protocol.Zstd, protocol.S2}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range hello.Streams {
		at := max(s.at[x.ID], x.Stored)
		s.at[x.ID] = at
		w.Positions = append(w.Positions, protocol.Position{Stream: x.ID, Received: at, Stored: at})
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return w.Append(b), nil }), nil
}

func (s sinkSession) append(params []byte) (avrorpc.Finisher, error) {
	var m protocol.Batch
	if err := m.Decode(params); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.at[m.Stream]
	if !known {
		return nil, fmt.Errorf("stream %v before its hello", m.Stream)
	}
	if m.Range.Start == at { // otherwise it was sent again after a connection broke
		s.at[m.Stream], at = m.Range.End, m.Range.End
		s.lines.Add(int64(m.Lines))
	}
	r := protocol.Receipt{Status: protocol.OK, Received: at, Stored: at}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return r.Append(b), nil }), nil
}
