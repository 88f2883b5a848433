package region

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"sluice/hbase/rpc"
)

// ZooKeeper is a registry that reads the cluster's nodes in ZooKeeper. It connects on the first
// request, and to another server each time a connection is lost. The session survives the loss of a
// connection; a new one is started only when a server reports that it expired.
type ZooKeeper struct {
	servers []string // host:port
	root    string
	timeout time.Duration
	log     *slog.Logger
	answers answers
	life    context.Context // cancels connections that are being made
	end     context.CancelFunc

	mu      sync.Mutex
	conn    *zk.Conn
	current *zkConn // the latest one
}

// NewZooKeeper reads below root (/hbase by default) at these servers, host:port. timeout bounds one
// connection; the session's timeout is that times the number of servers, so that each can be tried
// before it expires.
func NewZooKeeper(servers []string, root string, timeout time.Duration, log *slog.Logger) *ZooKeeper {
	z := &ZooKeeper{servers: servers, root: root, timeout: timeout, log: log, answers: answers{servers: servers}}
	z.life, z.end = context.WithCancel(context.Background())
	return z
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
	z.end()
	z.mu.Lock()
	conn, current := z.conn, z.current
	z.conn, z.current = nil, nil
	z.mu.Unlock()
	if conn == nil {
		return nil
	}
	if current != nil && conn.State() != zk.StateHasSession {
		_ = current.Close() // without a session, and the library would wait for one
	}
	conn.Close()
	return nil
}

func (z *ZooKeeper) session() time.Duration { return z.timeout * time.Duration(len(z.servers)) }

func (z *ZooKeeper) connect() (*zk.Conn, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.conn != nil {
		return z.conn, nil
	}
	conn, events, err := zk.Connect(z.servers, z.session(), zk.WithDialer(z.dial), zk.WithHostProvider(new(zkServers)), zk.WithLogger(zkLog{z.log}))
	if err != nil {
		return nil, fmt.Errorf("zookeeper %v: %w: %w", z.servers, errNoServer, err)
	}
	go func() {
		for range events { // until the connection is closed
		}
	}()
	z.conn = conn
	return conn, nil
}

// server reads the server in a node; a missing node, and an unavailable ZooKeeper, are errNoServer.
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
	go func() { // Get has no context; it ends at the latest with the connection
		b, _, err := conn.Get(name)
		done <- result{b, err}
	}()
	select {
	case <-ctx.Done():
		return rpc.Server{}, fmt.Errorf("zookeeper: no answer for %s: %w (%s)", name, ctx.Err(), &z.answers)
	case r := <-done:
		if errors.Is(r.err, zk.ErrNoNode) {
			return rpc.Server{}, fmt.Errorf("zookeeper %v: %s: %w: %w", z.servers, name, errNoServer, ErrNoNode)
		}
		if r.err != nil {
			return rpc.Server{}, fmt.Errorf("zookeeper: %s: %w: %w (%s)", name, errNoServer, r.err, &z.answers)
		}
		server, err := parseZNode(r.bytes)
		if err != nil {
			return server, fmt.Errorf("zookeeper %v: %s: %w", z.servers, name, err)
		}
		return server, nil
	}
}

// zkLog logs the library's messages at debug level.
type zkLog struct{ log *slog.Logger }

func (l zkLog) Printf(format string, args ...any) {
	l.log.Debug("ZooKeeper client message", "text", fmt.Sprintf(format, args...))
}
