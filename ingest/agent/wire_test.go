package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/protocol"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
	"sluice/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// far is a fake collector whose behaviour a test sets.
type far struct {
	mu        sync.Mutex
	away      bool   // it closes connections
	busy      string // its reason for not accepting batches
	offers    int    // number of batches that were offered
	took      []schema.Range
	have      map[schema.StreamID]protocol.Position
	tails     map[schema.StreamID]protocol.Tail
	connected int
	conns     []net.Conn
	version   protocol.Version // the only one that it speaks; 0: Version3
	asks      int              // the batch size that it asks for; 0: 1 MiB
	hold      chan struct{}    // if not nil, batches are answered when it is closed
	leaving   int              // number of heartbeats of a host that waits until its lines are stored
	// acknowledged is the number up to which it acknowledges losses.
	acknowledged int64
}

// serve handles one connection until it ends.
func (f *far) serve(ctx context.Context, conn net.Conn) error {
	server := &avrorpc.Server{Services: []avrorpc.Service{{Protocol: cmp.Or(f.version, protocol.Version3).Protocol(), Open: func(context.Context, avrorpc.Peer) (avrorpc.Session, error) {
		return farSession{f}, nil
	}}}, Limits: avrorpc.Limits{Drain: time.Millisecond}}
	return server.Serve(ctx, &single{conn: conn, closed: make(chan struct{})})
}

// single is a listener with one connection.
type single struct {
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	if conn := s.conn; conn != nil {
		s.conn = nil
		return conn, nil
	}
	<-s.closed
	return nil, net.ErrClosed
}

func (s *single) Close() error   { s.once.Do(func() { close(s.closed) }); return nil }
func (s *single) Addr() net.Addr { return &net.UnixAddr{} }

// farSession is the server's side of one connection.
type farSession struct{ *far }

func (farSession) Close() {}

func (f farSession) Begin(_ context.Context, c *avrorpc.Call) (avrorpc.Finisher, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch c.Message {
	case protocol.MessageHello:
		f.connected++
		var h protocol.Hello
		if err := h.Decode(c.Params); err != nil {
			return nil, err
		}
		w := protocol.Welcome{Collector: "far", MaxBatchBytes: cmp.Or(f.asks, 1<<20), Compressions: []protocol.Compression{protocol.None}}
		for _, s := range h.Streams {
			p := f.have[s.ID]
			p = protocol.Position{Stream: s.ID, Received: max(p.Received, s.Stored), Stored: max(p.Stored, s.Stored)}
			f.have[s.ID] = p
			w.Positions = append(w.Positions, p)
			if tail := f.tailAt(s.ID, p.Received); tail.Length > 0 {
				w.Tails = append(w.Tails, tail)
			}
		}
		return reply(w.Append), nil
	case protocol.MessageAppend:
		var m protocol.Batch
		if err := m.Decode(c.Params); err != nil {
			return nil, err
		}
		r := f.take(&m)
		if hold := f.hold; hold != nil {
			return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { <-hold; return r.Append(b), nil }), nil
		}
		return reply(r.Append), nil
	}
	var h protocol.Heartbeat
	if err := h.Decode(c.Params); err != nil {
		return nil, err
	}
	if h.Counters[protocol.Leaving] != 0 {
		f.leaving++
	}
	d := protocol.Directive{AcknowledgedLoss: f.acknowledged}
	for _, p := range f.have {
		d.Positions = append(d.Positions, p)
	}
	v := cmp.Or(f.version, protocol.Version3)
	return reply(func(b []byte) []byte { return d.AppendVersion(b, v) }), nil
}

func reply(encode func([]byte) []byte) avrorpc.Finisher {
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return encode(b), nil })
}

// tailAt returns the fingerprint of what it has of a stream: that of the last batch, or, if a test
// set the position, of a line as put sends it.
func (f *far) tailAt(id schema.StreamID, received int64) protocol.Tail {
	if tail := f.tails[id]; tail.At == received || received == 0 {
		return tail
	}
	return tailOf(id, []byte(putLine), received)
}

// putLine is the line that put sends.
const putLine = "012345678\n"

// take returns the receipt of a batch. f.mu must be held.
func (f *far) take(m *protocol.Batch) protocol.Receipt {
	p, known := f.have[m.Stream]
	f.offers++
	switch {
	case !known:
		return protocol.Receipt{Status: protocol.UnknownStream, Reason: "hello for this stream expected first"}
	case f.busy != "":
		return protocol.Receipt{Status: protocol.Busy, Reason: f.busy, Received: p.Received, Stored: p.Stored}
	}
	f.took = append(f.took, m.Range)
	p.Received = max(p.Received, m.Range.End)
	f.tails[m.Stream] = tailOf(m.Stream, m.Body, m.Range.End)
	f.have[m.Stream] = p
	return protocol.Receipt{Received: p.Received, Stored: p.Stored}
}

// set changes the collector's behaviour.
func (f *far) set(change func(*far)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// cut closes all connections; if away, new ones are closed too.
func (f *far) cut(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
	for _, c := range f.conns {
		_ = c.Close() // closed on purpose
	}
	f.conns = nil
}

// hellos returns the number of hellos received.
func (f *far) hellos() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connected
}

// whole fails unless the batches cover [from, to) of a stream, each byte once.
func (f *far) whole(t *testing.T, from, to int64) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	at := from
	for _, r := range f.took {
		if r.Start != at {
			t.Fatalf("after byte %d the collector received %v: %v", at, r, f.took)
		}
		at = r.End
	}
	if at != to {
		t.Errorf("the collector received up to byte %d of %d", at, to)
	}
}

// near is an agent and the fake collectors that it can reach, by address.
type near struct {
	*Agent
	file *checkpoint.File
	path string // of file
	far  map[string]*far
	all  sync.WaitGroup
	end  context.CancelFunc
}

// order returns its collectors, the preferred one first.
func (n *near) order() []string { return Preference(n.cfg.Tail.Host, n.cfg.Collectors) }

// agentOf returns an agent with two collectors, first and second in its order of preference.
func agentOf(t *testing.T, change func(*Config)) (n *near, first, second *far) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n = &near{path: filepath.Join(t.TempDir(), "checkpoint"), far: map[string]*far{}, end: cancel}
	var err error
	if n.file, err = checkpoint.Open(vfs.OS{}, n.path, "agent"); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	cfg := Config{
		Collectors: []string{"c1:4141", "c2:4141"}, Checkpoint: n.file, Name: "test", WindowBytes: 1 << 20,
		FailoverAfter: 30 * time.Second, Heartbeat: 3 * time.Second, Drain: time.Second, Log: log,
		Tail: tail.Config{Host: "web01", Log: log},
		Dial: func(_ context.Context, address string) (net.Conn, error) { return n.dial(ctx, address) },
	}
	if change != nil {
		change(&cfg)
	}
	n.Agent = New(cfg)
	for _, address := range cfg.Collectors {
		n.far[address] = &far{have: map[schema.StreamID]protocol.Position{}, tails: map[schema.StreamID]protocol.Tail{}}
	}
	return n, n.far[n.order()[0]], n.far[n.order()[1]]
}

// dial connects to a fake collector by a pipe.
func (n *near) dial(ctx context.Context, address string) (net.Conn, error) {
	f := n.far[address]
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	f.conns = append(f.conns, theirs)
	n.all.Go(func() { _ = f.serve(ctx, theirs) }) // it returns nil
	return ours, nil
}

// sending lets the agent send what a test puts into the window, without reading logs.
func (n *near) sending() {
	running, stop := context.WithCancel(context.Background())
	end := n.end
	n.end = func() { stop(); end() }
	n.all.Go(func() { _ = n.sender.run(running, running, make(chan struct{})) }) // nil: running ended it
	n.all.Go(func() { n.tick(running) })
}

// close stops the agent and the collectors.
func (n *near) close() {
	n.end()
	n.all.Wait()
}

// stream adds a log of 1,000 bytes to the checkpoint.
func (n *near) stream(t *testing.T) *checkpoint.Stream {
	t.Helper()
	path := filepath.Join(filepath.Dir(n.path), "a.log")
	if err := os.WriteFile(path, []byte(strings.Repeat(putLine, 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := logfile.Look(path)
	if err != nil {
		t.Fatal(err)
	}
	s := n.file.Logs.Add(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: path, Format: "common"}}, checkpoint.Log{Path: path, ID: l.ID, Start: []byte(putLine)})
	n.file.Update(func() { s.SeenBytes = 1000 })
	return s
}

// put puts [from, to) into the window, in batches of ten bytes.
func (n *near) put(t *testing.T, s *checkpoint.Stream, from, to int64) {
	t.Helper()
	codec, err := protocol.NewCodec(1 << 10)
	if err != nil {
		t.Fatal(err)
	}
	defer codec.Close()
	for ; from < to; from += 10 {
		m := protocol.Batch{Stream: s.ID, Range: schema.Range{Start: from, End: from + 10}, Lines: 1}
		codec.Encode(&m, []byte(putLine), nil)
		if err := n.window.add(t.Context(), &encodedBatch{stream: s, Range: m.Range, head: m.AppendHead(nil), body: m.Body, tail: tailOf(s.ID, []byte(putLine), m.Range.End)}); err != nil {
			t.Fatal(err)
		}
	}
}

// stored returns the stored position in the checkpoint on disk.
func (n *near) stored(t *testing.T, id schema.StreamID) int64 {
	t.Helper()
	file, err := checkpoint.Open(vfs.OS{}, n.path, "")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(file.Streams(), func(s *checkpoint.Stream) bool { return s.ID == id })
	if i < 0 {
		return 0
	}
	return file.Streams()[i].Stored
}

// lines returns n lines of ten bytes.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %04d\n", i)
	}
	return b.String()
}
