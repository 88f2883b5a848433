package hdfs

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	dfs "github.com/colinmarc/hdfs/v2"

	"sluice/hadoop/sasl"
	"sluice/hdfs/protection"
)

const (
	// maxClientAge bounds the age of a client, because with Kerberos its data encryption key, which
	// it requests once, expires.
	maxClientAge = time.Hour
	// maxIdleClients is more than the usual number of concurrent uploads.
	maxIdleClients = 4

	maxFirstAnswer = 64 << 20 // bytes

	connected = "it accepted the connection"
)

// client is a client of the library, with the connections that it opened: the library sets no
// deadlines and does not close all of them.
type client struct {
	*dfs.Client
	timeout  time.Duration
	login    *sasl.Kerberos // nil: a cluster without Kerberos
	transfer []sasl.Protection
	key      *protection.DataKey // nil: data nodes accept blocks' tokens
	dialTCP  func(ctx context.Context, network, address string) (net.Conn, error)
	born     time.Time
	stop     func() bool     // stops closing the connections at the end of the call's context
	life     context.Context // cancels connections that are being made: the library passes no context
	end      context.CancelFunc
	note     func(nameNode string, err error) // called with the result of a connection to a name node

	mu       sync.Mutex
	nameNode string // the last one dialled
	conns    map[*conn]struct{}
	aborted  bool
	broken   error // the first error of a write to a data node
	refused  error // the last failed log-in
}

// conn is a connection that fails if its peer is silent for too long.
type conn struct {
	net.Conn
	client *client
	data   bool
	failed atomic.Pointer[error] // the error of Write to a data node
	first  []byte                // the first bytes from a name node: the length of its first answer
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := 0, c.SetReadDeadline(time.Now().Add(c.client.timeout))
	if err == nil {
		n, err = c.Conn.Read(p)
	}
	if failed := c.failed.Load(); err != nil && failed != nil {
		err = *failed
	}
	if foreign := c.checkFirst(p[:n]); foreign != nil {
		return 0, foreign
	}
	return n, err
}

// checkFirst bounds the length of a name node's first answer, which the library would allocate. The
// greeting of a server of another protocol would be read as hundreds of MiB.
func (c *conn) checkFirst(p []byte) error {
	const lengthBytes = 4
	if c.data || len(c.first) == lengthBytes {
		return nil
	}
	c.first = append(c.first, p[:min(len(p), lengthBytes-len(c.first))]...)
	if len(c.first) == lengthBytes && binary.BigEndian.Uint32(c.first) > maxFirstAnswer {
		return fmt.Errorf("its answer is not a name node's: it begins %q", c.first)
	}
	return nil
}

// Write to a data node does not return an error: it closes the connection, and Read returns the
// error. The library's writer of blocks leaks two goroutines if a write fails, and none if no
// acknowledgement arrives.
func (c *conn) Write(p []byte) (int, error) {
	n, err := 0, c.SetWriteDeadline(time.Now().Add(c.client.timeout))
	if err == nil {
		n, err = c.Conn.Write(p)
	}
	if err == nil || !c.data {
		return n, err
	}
	if c.failed.CompareAndSwap(nil, &err) {
		c.client.breaks(err)
		_ = c.Close() // an error means that it was closed already
	}
	return len(p), nil
}

// SetDeadline ignores the library's calls, which would remove the deadlines.
func (c *conn) SetDeadline(time.Time) error { return nil }

func (c *conn) Close() error {
	c.client.mu.Lock()
	delete(c.client.conns, c)
	c.client.mu.Unlock()
	return c.Conn.Close()
}

// dialer returns the library's dial function; data is true for data nodes. The library does no
// log-in: the connection that it gets does that.
func (c *client) dialer(data bool) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !data {
			c.mu.Lock()
			c.nameNode = address
			c.mu.Unlock()
		}
		made, err := c.dial(ctx, network, address, data)
		if !data && c.life.Err() == nil {
			c.note(address, err)
		}
		switch {
		case err != nil, data && c.login == nil && c.key == nil:
			return made, err
		case data:
			return protection.DataNode(made, c.transfer, c.key, c.refuse), nil
		}
		return c.logIn(ctx, made, address)
	}
}

// dial returns a connection that hangUp closes.
func (c *client) dial(ctx context.Context, network, address string, data bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	plain, err := c.dialTCP(ctx, network, address)
	if err != nil {
		return nil, err
	}
	made := &conn{Conn: plain, client: c, data: data}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aborted {
		return nil, errors.Join(net.ErrClosed, plain.Close())
	}
	c.conns[made] = struct{}{}
	return made, nil
}

// logIn logs in at a name node and returns a connection for the library.
func (c *client) logIn(ctx context.Context, made net.Conn, address string) (net.Conn, error) {
	if c.login == nil {
		return made, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, made.Close())
	}
	safe, err := protection.NameNode(ctx, made, host, c.login)
	if err != nil {
		err = fmt.Errorf("name node %s: %w", address, err)
		c.refuse(err)
		return nil, errors.Join(err, made.Close())
	}
	return safe, nil
}

// refuse saves the error of a log-in, as the library drops it or returns only its text.
func (c *client) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = err
}

// because returns the saved cause of a library's error, or the error.
func (c *client) because(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !healthy(err) && c.refused != nil {
		return c.refused
	}
	c.refused = nil // the failure was that of one data node, and another one succeeded
	return err
}

// hangUp closes the connections, or those to data nodes only, so that calls that wait on them
// return. An error means that a connection was closed already.
func (c *client) hangUp(dataOnly bool) {
	c.mu.Lock()
	var open []*conn
	for made := range c.conns {
		if made.data || !dataOnly {
			open = append(open, made)
		}
	}
	c.aborted = c.aborted || !dataOnly
	c.mu.Unlock()
	for _, made := range open {
		_ = made.Close()
	}
}

// breaks saves the first error of a write to a data node.
func (c *client) breaks(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = err
	}
}

// whole returns the error of a write to a data node, if any.
func (c *client) whole() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// usable reports whether another call can use the client.
func (c *client) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.aborted && c.broken == nil
}

// abort ends every call, and stops renewing the lease.
func (c *client) abort() {
	c.end()
	c.hangUp(false)
}

func (c *client) lastNameNode() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nameNode
}

// pool keeps idle clients between calls.
type pool struct {
	options  dfs.ClientOptions
	login    *sasl.Kerberos // nil: a cluster without Kerberos
	transfer []sasl.Protection
	dialTCP  func(ctx context.Context, network, address string) (net.Conn, error)
	timeout  time.Duration
	now      func() time.Time

	mu        sync.Mutex
	idle      []*client
	nameNodes []string          // in the order of attempts
	results   map[string]string // the result of the last connection to each
}

// noteConnection saves the result of a connection to a name node.
func (p *pool) noteConnection(nameNode string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results[nameNode] = connected
	if err != nil {
		p.results[nameNode] = err.Error()
	}
}

// answers lists the name nodes with the results of the last connections.
func (p *pool) answers() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := make([]string, len(p.options.Addresses))
	for i, address := range p.options.Addresses {
		text[i] = address + ": " + cmp.Or(p.results[address], "not tried yet")
	}
	return strings.Join(text, "; ")
}

// do calls call with a client.
func (p *pool) do(ctx context.Context, call func(*client) error) error {
	return p.doBy(ctx, time.Time{}, call)
}

// doBy is do with a time limit for the connection; zero is no limit.
func (p *pool) doBy(ctx context.Context, by time.Time, call func(*client) error) error {
	c, err := p.take(ctx, by)
	if err != nil {
		return err
	}
	err = c.because(call(c))
	p.done(c, err)
	return err
}

// take returns a client until done; its connections are closed when ctx ends. Without a connection to a
// name node the error is a connectError.
func (p *pool) take(ctx context.Context, by time.Time) (*client, error) {
	c := p.pop()
	c.stop = context.AfterFunc(ctx, c.abort)
	if c.Client != nil {
		return c, nil
	}
	made, err := p.connectBy(ctx, by, c)
	if err != nil {
		c.stop()
		err = c.because(err)
		if ctx.Err() == nil {
			p.noteFailure(c.lastNameNode(), err)
		}
		c.abort()
		p.demote(c.lastNameNode())
		return nil, connectError{err}
	}
	c.Client = made
	return c, c.because(nil) // clears the error of another name node
}

// connectBy is connect with a time limit.
func (p *pool) connectBy(ctx context.Context, by time.Time, c *client) (*dfs.Client, error) {
	if by.IsZero() {
		return p.connect(ctx, c)
	}
	bounded, cancel := context.WithDeadline(ctx, by)
	defer cancel()
	stop := context.AfterFunc(bounded, c.abort)
	made, err := p.connect(bounded, c)
	if stop() {
		return made, err
	}
	if err == nil {
		_ = made.Close() // its connection is closed already
	}
	return nil, fmt.Errorf("no answer in time: %w", bounded.Err())
}

// connect returns a new client of the HDFS library.
func (p *pool) connect(ctx context.Context, c *client) (*dfs.Client, error) {
	o := p.optionsFor(c)
	if p.login != nil {
		who, _, err := p.login.LogIn(ctx)
		if err != nil {
			return nil, err
		}
		o.User = who // as the name node knows the user: any other name would be impersonation
	}
	made, err := dfs.NewClient(o)
	if err != nil {
		return nil, err
	}
	defaults, err := made.ServerDefaults() // the library caches them, and would request them later
	if err == nil && defaults.EncryptDataTransfer {
		c.key, err = c.fetchKey(ctx, o.User)
	}
	if err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

// fetchKey gets the data encryption key: the library gets one, too, but does not return it.
func (c *client) fetchKey(ctx context.Context, user string) (key *protection.DataKey, err error) {
	err = c.onNameNode(ctx, func(made net.Conn) error {
		key, err = protection.FetchDataKey(made, user)
		return err
	})
	return key, err
}

// onNameNode calls do with a connection of its own to the last name node, logged in, for one
// request that the library does not have.
func (c *client) onNameNode(ctx context.Context, do func(net.Conn) error) error {
	address := c.lastNameNode()
	made, err := c.dial(ctx, "tcp", address, false)
	if err != nil {
		return err
	}
	safe, err := c.logIn(ctx, made, address)
	if err != nil {
		return err
	}
	return errors.Join(do(safe), safe.Close())
}

// done takes a client back. After an error the client is closed, and the next one starts with
// another name node, as one that hangs would be asked first each time.
func (p *pool) done(c *client, err error) {
	inTime := c.stop()
	if healthy(err) && inTime && c.usable() {
		c.hangUp(true)
		p.give(c)
		return
	}
	if inTime {
		p.noteFailure(c.lastNameNode(), err)
		p.demote(c.lastNameNode())
	}
	c.abort()
	_ = c.Client.Close() // the connection is closed already; this stops renewing leases
}

// pop returns an idle client, or a client that is not connected.
func (p *pool) pop() *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if p.now().Sub(c.born) < maxClientAge {
			return c
		}
		_ = c.Client.Close()
	}
	c := &client{timeout: p.timeout, login: p.login, transfer: p.transfer, dialTCP: p.dialTCP, born: p.now(), conns: map[*conn]struct{}{}, note: p.noteConnection}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

func (p *pool) give(c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdleClients {
		p.idle = append(p.idle, c)
		return
	}
	_ = c.Client.Close()
}

func (p *pool) optionsFor(c *client) dfs.ClientOptions {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.options
	o.Addresses = slices.Clone(p.nameNodes)
	o.NamenodeDialFunc, o.DatanodeDialFunc = c.dialer(false), c.dialer(true)
	return o
}

// noteFailure saves the result of an attempt with a name node, unless a more precise one is known.
func (p *pool) noteFailure(nameNode string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch result := p.results[nameNode]; {
	case err == nil:
	case result == "":
		p.results[nameNode] = err.Error()
	case result == connected:
		p.results[nameNode] = connected + ", and then: " + err.Error()
	}
}

// demote moves a name node to the end of the order.
func (p *pool) demote(nameNode string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.nameNodes, nameNode); i >= 0 {
		p.nameNodes = append(slices.Delete(p.nameNodes, i, i+1), nameNode)
	}
}

// close closes the idle clients.
func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.Client.Close())
	}
	p.idle = nil
	return errors.Join(errs...)
}
