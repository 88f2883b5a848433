package region

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"sluice/hbase/rpc"
)

// ZooKeeper is a registry that reads what the cluster writes into ZooKeeper. It
// connects when it is first asked, to another server each time a connection is
// lost; a session that is lost with a server is not: only when a server says that
// it expired a new one is begun.
type ZooKeeper struct {
	servers []string // host:port
	root    string
	timeout time.Duration
	log     *slog.Logger

	mu   sync.Mutex
	conn *zk.Conn
}

// NewZooKeeper reads below root (/hbase by default) at these servers, host:port.
// timeout is for one connection; the session's is that times the servers, so that
// each can be tried before it expires.
func NewZooKeeper(servers []string, root string, timeout time.Duration, log *slog.Logger) *ZooKeeper {
	return &ZooKeeper{servers: servers, root: root, timeout: timeout, log: log}
}

// Meta implements Registry.
func (z *ZooKeeper) Meta(ctx context.Context) (rpc.Server, error) {
	return z.server(ctx, "meta-region-server")
}

// Master implements Registry.
func (z *ZooKeeper) Master(ctx context.Context) (rpc.Server, error) {
	return z.server(ctx, "master")
}

// Close ends the session.
func (z *ZooKeeper) Close() error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.conn != nil {
		z.conn.Close()
		z.conn = nil
	}
	return nil
}

func (z *ZooKeeper) session() time.Duration { return z.timeout * time.Duration(len(z.servers)) }

func (z *ZooKeeper) connect() (*zk.Conn, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.conn != nil {
		return z.conn, nil
	}
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		conn, err := net.DialTimeout(network, address, min(timeout, z.timeout))
		if err != nil {
			return nil, err
		}
		return patient{conn, z.session()}, nil
	}
	conn, events, err := zk.Connect(z.servers, z.session(), zk.WithDialer(dial), zk.WithLogger(zkLog{z.log}))
	if err != nil {
		return nil, fmt.Errorf("zookeeper %v: %w: %w", z.servers, ErrNoServer, err)
	}
	go func() {
		for range events { // until the connection is closed
		}
	}()
	z.conn = conn
	return conn, nil
}

// server reads the server in a node; a node that is not there, and a
// ZooKeeper that cannot say, are ErrNoServer.
func (z *ZooKeeper) server(ctx context.Context, node string) (rpc.Server, error) {
	conn, err := z.connect()
	if err != nil {
		return rpc.Server{}, err
	}
	type result struct {
		bytes []byte
		err   error
	}
	name := path.Join(z.root, node)
	done := make(chan result, 1)
	go func() { // Get knows no context; it ends with the connection at the latest
		b, _, err := conn.Get(name)
		done <- result{b, err}
	}()
	select {
	case <-ctx.Done():
		return rpc.Server{}, fmt.Errorf("zookeeper %v: no answer: %w", z.servers, ctx.Err())
	case r := <-done:
		if errors.Is(r.err, zk.ErrNoNode) {
			return rpc.Server{}, fmt.Errorf("zookeeper %v: %s: %w: the node is not there", z.servers, name, ErrNoServer)
		}
		if r.err != nil {
			return rpc.Server{}, fmt.Errorf("zookeeper %v: %s: %w: %w", z.servers, name, ErrNoServer, r.err)
		}
		server, err := parseZNode(r.bytes)
		if err != nil {
			return server, fmt.Errorf("zookeeper %v: %s: %w", z.servers, name, err)
		}
		return server, nil
	}
}

// patient is a connection whose reads and writes end after the session at the
// latest: the library gives a server that takes connections and says nothing
// seven times as long.
type patient struct {
	net.Conn
	limit time.Duration
}

func (p patient) SetReadDeadline(t time.Time) error  { return p.Conn.SetReadDeadline(p.cap(t)) }
func (p patient) SetWriteDeadline(t time.Time) error { return p.Conn.SetWriteDeadline(p.cap(t)) }

func (p patient) cap(t time.Time) time.Time {
	if latest := time.Now().Add(p.limit); t.After(latest) {
		return latest
	}
	return t
}

// zkLog hands the library's messages on, at debug.
type zkLog struct{ log *slog.Logger }

func (l zkLog) Printf(format string, args ...any) {
	l.log.Debug("zookeeper: " + fmt.Sprintf(format, args...))
}
