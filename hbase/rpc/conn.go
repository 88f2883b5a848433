package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/hadoop/protobuf"
)

// The services of servers.
const (
	ClientService = "ClientService"
	MasterService = "MasterService"
	// AdminService is of region servers, too.
	AdminService = "AdminService"
	// MetaService (ClientMetaService) locates the master and the meta table.
	MetaService = "ClientMetaService"
)

const (
	keyValueCodec = "org.apache.hadoop.hbase.codec.KeyValueCodec"
	snappyCodec   = "org.apache.hadoop.io.compress.SnappyCodec"
)

// DefaultTimeout is the default of Options.Timeout.
const DefaultTimeout = 5 * time.Second

// Options are the settings of connections. The zero Options are for a cluster without security.
type Options struct {
	// User is the user name for a cluster without security; empty: sluice.
	User string
	// Timeout bounds a connection attempt, each write, and the silence of a server with pending
	// calls; 0: DefaultTimeout.
	Timeout time.Duration
	// Handshake secures a connection; nil: Simple.
	Handshake Handshake
	// Dial dials; nil: TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Snappy enables compression of cell blocks in both directions, for networks slower than the
	// servers. The servers need their native library.
	Snappy bool
}

func (o Options) withDefaults() Options {
	if o.User == "" {
		o.User = "sluice"
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Handshake == nil {
		o.Handshake = Simple
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", address)
		}
	}
	return o
}

// Conn is a connection to one service of one server. Its methods are safe for concurrent use.
type Conn struct {
	server  Server
	options Options
	conn    net.Conn

	frames sync.Pool  // *frame
	queue  chan *call // to the writer
	broken chan struct{}
	done   sync.WaitGroup

	mu     sync.Mutex
	calls  map[uint32]*call // pending calls
	lastID uint32
	err    error // why it is broken

	// The times of the server's last activity, since start; see watch.
	start    time.Time
	lastSign atomic.Int64
	probing  atomic.Bool
	heard    atomic.Bool // anything was received
}

// Dial connects. It ends with ctx and at the timeout.
func Dial(ctx context.Context, server Server, service string, o Options) (*Conn, error) {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	raw, err := o.Dial(ctx, server.Address())
	if err != nil {
		return nil, lost(server, dialError(ctx, err))
	}
	conn, err := doHandshake(ctx, raw, server, service, o)
	if err != nil {
		err = lost(server, dialError(ctx, err))
		return nil, errors.Join(err, raw.Close())
	}
	c := &Conn{
		server: server, options: o, conn: conn,
		queue: make(chan *call, 64), broken: make(chan struct{}), calls: make(map[uint32]*call), start: time.Now(),
	}
	c.done.Go(func() { c.fail(c.write()) })
	c.done.Go(func() { c.fail(c.read()) })
	c.done.Go(func() { c.fail(c.watch()) })
	return c, nil
}

// dialError distinguishes the timeout of Dial from the end of the caller's context.
func dialError(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// lost wraps the error that broke a connection; a *RemoteError is kept in the chain.
func lost(server Server, err error) error {
	return fmt.Errorf("%s: %w: %w", server, ErrLost, err)
}

// doHandshake does the handshake, and sends the connection header.
func doHandshake(ctx context.Context, raw net.Conn, server Server, service string, o Options) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	if err := raw.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // interrupts reads and writes
	defer stop()
	conn, err := o.Handshake(ctx, raw, server)
	if err != nil {
		return nil, err
	}
	header := connectionHeader(service, o)
	if _, err := conn.Write(append(appendLength(nil, len(header)), header...)); err != nil {
		return nil, fmt.Errorf("send the connection header: %w", err)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	return conn, raw.SetDeadline(time.Time{})
}

func connectionHeader(service string, o Options) []byte {
	h := protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, o.User))
	h = protobuf.AppendBytes(h, 2, service)
	h = protobuf.AppendBytes(h, 3, keyValueCodec)
	if o.Snappy {
		h = protobuf.AppendBytes(h, 4, snappyCodec)
	}
	// Without a version the server expects cells inside messages. Its six fields are required and
	// may be empty.
	var version []byte
	for field := 1; field <= 6; field++ {
		version = protobuf.AppendBytes(version, field, "")
	}
	return protobuf.AppendBytes(h, 5, version)
}

// Close closes the connection, ends every pending call, and waits for the goroutines.
func (c *Conn) Close() error {
	c.fail(errClosed)
	c.done.Wait()
	return nil
}

// explain makes the error for the end of a connection.
func (c *Conn) explain(err error) error {
	ended := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case ended && !c.heard.Load():
		return ErrNoAnswer
	case errors.Is(err, io.EOF):
		return errors.New("the server closed the connection")
	}
	return err
}

// fail closes the connection once.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if errors.Is(err, errClosed) {
		c.err = fmt.Errorf("%s: %w", c.server, err)
	} else {
		c.err = lost(c.server, c.explain(err))
	}
	calls := c.calls
	c.calls = nil
	c.mu.Unlock()
	close(c.broken)
	_ = c.conn.Close() // the first error is reported
	for _, call := range calls {
		call.end(nil, c.err)
	}
}
