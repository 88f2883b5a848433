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

	"sluice/hbase/wire"
)

// The services that servers have.
const (
	ClientService = "ClientService"
	MasterService = "MasterService"
	// MetaService (ClientMetaService) says where master and meta are.
	MetaService = "ClientMetaService"
)

const (
	keyValueCodec = "org.apache.hadoop.hbase.codec.KeyValueCodec"
	snappyCodec   = "org.apache.hadoop.io.compress.SnappyCodec"
)

// DefaultTimeout is for Options without one.
const DefaultTimeout = 5 * time.Second

// Options say how connections are made. The zero Options are good for a cluster
// without security.
type Options struct {
	// User is who a cluster without security is told we are; empty: sluice.
	User string
	// Timeout bounds making a connection, each write, and the silence of a server
	// that has calls to answer; 0: DefaultTimeout.
	Timeout time.Duration
	// Handshake makes a connection secure; nil: Simple.
	Handshake Handshake
	// Dial makes a connection; nil: TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Snappy compresses cell blocks both ways: for networks slower than the
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

// Conn is a connection to one service of one server. Its methods are safe for
// concurrent use.
type Conn struct {
	server  Server
	options Options
	conn    net.Conn

	queue  chan *call // to the writer
	broken chan struct{}
	done   sync.WaitGroup

	mu     sync.Mutex
	calls  map[uint32]*call // that are not answered
	lastID uint32
	err    error // why it is broken

	// What the server was last seen to do, since start; see watch.
	start    time.Time
	lastSign atomic.Int64
	probing  atomic.Bool
	heard    atomic.Bool // whether it ever said anything
}

// Dial makes a connection. It ends with ctx and at the timeout.
func Dial(ctx context.Context, server Server, service string, o Options) (*Conn, error) {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	raw, err := o.Dial(ctx, server.Address())
	if err != nil {
		return nil, lost(server, dialError(ctx, err))
	}
	conn, err := greet(ctx, raw, server, service, o)
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

// dialError tells a timeout of our own from what the caller's context says.
func dialError(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// lost wraps what broke a connection; a refusal of the server stays one.
func lost(server Server, err error) error {
	return fmt.Errorf("%s: %w: %w", server, ErrLost, err)
}

// greet does what comes before the first call.
func greet(ctx context.Context, raw net.Conn, server Server, service string, o Options) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	if err := raw.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // wakes reads and writes
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
	h := wire.AppendBytes(nil, 1, wire.AppendBytes(nil, 1, o.User))
	h = wire.AppendBytes(h, 2, service)
	h = wire.AppendBytes(h, 3, keyValueCodec)
	if o.Snappy {
		h = wire.AppendBytes(h, 4, snappyCodec)
	}
	// Without a version the server takes us for a client that wants cells inside
	// of messages. Its six fields are required and may be empty.
	var version []byte
	for field := 1; field <= 6; field++ {
		version = wire.AppendBytes(version, field, "")
	}
	return wire.AppendBytes(h, 5, version)
}

// Server is whom the connection is to.
func (c *Conn) Server() Server { return c.server }

// Broken is closed when the connection is of no more use.
func (c *Conn) Broken() <-chan struct{} { return c.broken }

// Close ends the connection and every call that waits, and waits for its goroutines.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	c.done.Wait()
	return nil
}

// explain says what the end of a connection means.
func (c *Conn) explain(err error) error {
	ended := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case ended && !c.heard.Load():
		return ErrMute
	case errors.Is(err, io.EOF):
		return errors.New("the server closed the connection")
	}
	return err
}

// fail ends the connection once.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if errors.Is(err, ErrClosed) {
		c.err = fmt.Errorf("%s: %w", c.server, err)
	} else {
		c.err = lost(c.server, c.explain(err))
	}
	calls := c.calls
	c.calls = nil
	c.mu.Unlock()
	close(c.broken)
	_ = c.conn.Close() // what broke it is the error that counts
	for _, call := range calls {
		call.end(nil, c.err)
	}
}
