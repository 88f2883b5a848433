package bulkload

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"sluice/hadoop/protobuf"
	"sluice/hbase/hbasetest"
	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
	"sluice/retry"
	"sluice/schema"
)

// fakeServer is a region server at the other end of a pipe, which has the meta table and the only
// region of the table t. With pipes a test can run in a bubble of synctest.
type fakeServer struct {
	refuse func(method string) (exception string) // nil: no call is refused

	mu       sync.Mutex // guards the fields below
	disabled bool       // the table
	calls    map[string]int
}

func (f *fakeServer) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *fakeServer) disable() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.disabled = true
}

// Meta, Master and Close implement region.Registry.
func (f *fakeServer) Meta(context.Context) (rpc.Server, error) {
	return rpc.Server{Host: "s", Port: 1}, nil
}
func (f *fakeServer) Master(ctx context.Context) (rpc.Server, error) { return f.Meta(ctx) }
func (f *fakeServer) Close() error                                   { return nil }

func (f *fakeServer) dial(context.Context, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		hbasetest.Talk(theirs, f.answer)
	}()
	return ours, nil
}

const notServing = "org.apache.hadoop.hbase.NotServingRegionException"

func (f *fakeServer) answer(method string, param, _ []byte) (message, block []byte, exception string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[method]++
	if method == "Scan" {
		return f.scanMeta(hbasetest.Field(param, 2))
	}
	if f.disabled {
		return nil, nil, notServing
	}
	if f.refuse != nil {
		exception = f.refuse(method)
	}
	return protobuf.AppendBool(nil, 1, true), nil, exception // BulkLoadHFile: loaded
}

// scanMeta answers a lookup of a region, which is in reverse order, or of the table's state.
func (f *fakeServer) scanMeta(scan []byte) (message, block []byte, exception string) {
	const row = "t,,1.e."
	message = protobuf.AppendBool(nil, 8, false)
	if hbasetest.Number(scan, 15) == 0 {
		state := uint64(0)
		if f.disabled {
			state = 1
		}
		return message, wire.AppendCell(nil, []byte("t"), "table", "state", 1, wire.Put, protobuf.AppendUint(nil, 1, state)), ""
	}
	block = wire.AppendCell(nil, []byte(row), "info", "regioninfo", 1, wire.Put, []byte("PBUF"))
	return message, wire.AppendCell(block, []byte(row), "info", "server", 1, wire.Put, []byte("s:1")), ""
}

// fakeStaging has files in memory, by name.
type fakeStaging struct {
	upload func(ctx context.Context) error // the time that it takes; nil: none

	mu     sync.Mutex
	stored map[string]bool
}

func (s *fakeStaging) Store(ctx context.Context, _, name string) error {
	if s.upload != nil {
		if err := s.upload(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stored == nil {
		s.stored = map[string]bool{}
	}
	s.stored[name] = true
	return nil
}

func (s *fakeStaging) Has(_ context.Context, name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored[name], nil
}

func (s *fakeStaging) Token(context.Context) (*DelegationToken, error) { return nil, nil }
func (s *fakeStaging) Close() error                                    { return nil }

// newServed returns a loader into a fake server's table, and a function that closes its connections.
// wait is the limit of failing attempts.
func newServed(t *testing.T, f *fakeServer, s Staging, wait time.Duration) (*Loader, *putTable, func()) {
	t.Helper()
	retries := &retry.Registry{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	cluster := region.NewCluster(f, rpc.NewPool(rpc.Options{Dial: f.dial}), time.Minute, wait, retries)
	table := &putTable{}
	l := newLoader(cluster, cluster.Table("t"), retries, table, Options{
		Dir: t.TempDir(), Layout: schema.Layout{Family: "l"}, Compression: hfile.Uncompressed,
		WindowBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler),
	})
	l.session = &session{token: "hdfs://n/staging/x", family: "l", staging: s}
	l.uploader.session = l.session
	return l, table, func() {
		if err := l.sorter.discard(); err != nil {
			t.Error(err)
		}
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}
}
