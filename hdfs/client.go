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
	// maxClientAge: with Kerberos a client's data encryption key, which it asks for
	// once, ends some time.
	maxClientAge = time.Hour
	// maxIdleClients is more than upload at a time, as a rule.
	maxIdleClients = 4

	maxFirstAnswer = 64 << 20 // bytes

	connected = "it took the connection"
)

// client is one of the library's with the connections it has opened: the library
// gives them no deadlines and does not close all of them.
type client struct {
	*dfs.Client
	timeout  time.Duration
	login    *sasl.Kerberos // nil: a cluster without Kerberos
	transfer []sasl.Protection
	key      *protection.DataKey // nil: data nodes take blocks' tokens
	dialTCP  func(ctx context.Context, network, address string) (net.Conn, error)
	born     time.Time
	stop     func() bool     // of the call under way: leaves the connections open when its context ends
	life     context.Context // ends connections that are being made: the library hands on none
	end      context.CancelFunc
	note     func(nameNode string, err error) // of a connection to it

	mu       sync.Mutex
	nameNode string // the one dialled last
	conns    map[*conn]struct{}
	aborted  bool
	broken   error // of a write to a data node, the first
	refused  error // why a log-in failed, the last
}

// conn ends when its peer is silent for too long.
type conn struct {
	net.Conn
	client *client
	data   bool
	failed atomic.Pointer[error] // of Write, where data
	first  []byte                // that a name node said: the length of its first answer
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

// checkFirst looks at the length of a name node's first answer, which the library
// would allocate. Another server's greeting has one of hundreds of MiB.
func (c *conn) checkFirst(p []byte) error {
	const lengthBytes = 4
	if c.data || len(c.first) == lengthBytes {
		return nil
	}
	c.first = append(c.first, p[:min(len(p), lengthBytes-len(c.first))]...)
	if len(c.first) == lengthBytes && binary.BigEndian.Uint32(c.first) > maxFirstAnswer {
		return fmt.Errorf("what it says is not a name node's: it begins %q", c.first)
	}
	return nil
}

// Write to a data node does not fail: it ends the connection, and Read says why.
// The library's writer of blocks leaves two goroutines waiting for ever when a
// write fails, and none when no acknowledgement comes.
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
		_ = c.Close() // that it was closed already is no news
	}
	return len(p), nil
}

// SetDeadline is the library's, which means none by the zero time.
func (c *conn) SetDeadline(time.Time) error { return nil }

func (c *conn) Close() error {
	c.client.mu.Lock()
	delete(c.client.conns, c)
	c.client.mu.Unlock()
	return c.Conn.Close()
}

// dialer is for the library, data tells data nodes from name nodes. The library
// knows of no log-in: what it gets does that below.
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

// dial is nil and an error, or a connection that hangUp closes.
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

// logIn makes a connection to a name node fit for the library.
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

// refuse notes why a log-in failed: the library drops the reason, or makes a string
// of it.
func (c *client) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = err
}

// because is an error of the library's, or the reason for it.
func (c *client) because(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !healthy(err) && c.refused != nil {
		return c.refused
	}
	c.refused = nil // of one data node, and another did it
	return err
}

// hangUp closes the connections, or those to data nodes only. What waits on one of
// them returns. An error says no more than that one was closed already.
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

// breaks notes that what was written to a data node did not get there.
func (c *client) breaks(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = err
	}
}

// whole is nil unless a write to a data node has failed.
func (c *client) whole() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// usable reports whether another call can have it.
func (c *client) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.aborted && c.broken == nil
}

// abort makes every call return, and the lease end with nobody to renew it.
func (c *client) abort() {
	c.end()
	c.hangUp(false)
}

func (c *client) lastNameNode() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nameNode
}

// pool keeps clients between calls.
type pool struct {
	options  dfs.ClientOptions
	login    *sasl.Kerberos // nil: a cluster without Kerberos
	transfer []sasl.Protection
	dialTCP  func(ctx context.Context, network, address string) (net.Conn, error)
	timeout  time.Duration
	now      func() time.Time

	mu        sync.Mutex
	idle      []*client
	nameNodes []string          // in the order in which they are tried
	said      map[string]string // what came of the last connection to each
}

// noteConnection keeps what came of a connection to a name node.
func (p *pool) noteConnection(nameNode string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said[nameNode] = connected
	if err != nil {
		p.said[nameNode] = err.Error()
	}
}

// answers names every name node with what came of the last connection to it.
func (p *pool) answers() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := make([]string, len(p.options.Addresses))
	for i, address := range p.options.Addresses {
		text[i] = address + ": " + cmp.Or(p.said[address], "not tried yet")
	}
	return strings.Join(text, "; ")
}

// do lends a client to a call.
func (p *pool) do(ctx context.Context, call func(*client) error) error {
	return p.doBy(ctx, time.Time{}, call)
}

// doBy is do, and gives up a connection that is not there by then; the zero time is no
// bound.
func (p *pool) doBy(ctx context.Context, by time.Time, call func(*client) error) error {
	c, err := p.take(ctx, by)
	if err != nil {
		return err
	}
	err = c.because(call(c))
	p.done(c, err)
	return err
}

// take lends a client until done; its connections are closed when ctx ends.
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
		return nil, err
	}
	c.Client = made
	return c, c.because(nil) // forget why another name node did not take us
}

// connectBy is connect with an end.
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

// connect makes the library's client.
func (p *pool) connect(ctx context.Context, c *client) (*dfs.Client, error) {
	o := p.optionsFor(c)
	if p.login != nil {
		who, _, err := p.login.LogIn(ctx)
		if err != nil {
			return nil, err
		}
		o.User = who // as the name node will know us: another name would be one that we act for
	}
	made, err := dfs.NewClient(o)
	if err != nil {
		return nil, err
	}
	defaults, err := made.ServerDefaults() // the library keeps them, and would ask for them later
	if err == nil && defaults.EncryptDataTransfer {
		c.key, err = c.fetchKey(ctx, o.User)
	}
	if err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

// fetchKey asks the name node that answered last, on a connection for this alone: the
// library asks too, and keeps the key to itself.
func (c *client) fetchKey(ctx context.Context, user string) (*protection.DataKey, error) {
	address := c.lastNameNode()
	made, err := c.dial(ctx, "tcp", address, false)
	if err != nil {
		return nil, err
	}
	safe, err := c.logIn(ctx, made, address)
	if err != nil {
		return nil, err
	}
	key, err := protection.FetchDataKey(safe, user)
	return key, errors.Join(err, safe.Close())
}

// done takes a client back. After an error it is thrown away, and the next begins
// with another name node: one that hangs would be asked first for ever.
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
	_ = c.Client.Close() // the connection is closed already; this ends renewing leases
}

// pop gives an idle client, or one without the library's.
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

// noteFailure keeps what an attempt with a name node led to, unless more is known.
func (p *pool) noteFailure(nameNode string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch said := p.said[nameNode]; {
	case err == nil:
	case said == "":
		p.said[nameNode] = err.Error()
	case said == connected:
		p.said[nameNode] = connected + ", and then: " + err.Error()
	}
}

// demote puts a name node last.
func (p *pool) demote(nameNode string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.nameNodes, nameNode); i >= 0 {
		p.nameNodes = append(slices.Delete(p.nameNodes, i, i+1), nameNode)
	}
}

// close ends the idle clients.
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
