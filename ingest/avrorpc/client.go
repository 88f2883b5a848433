package avrorpc

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"
)

// errClosed is returned by calls after [Client.Close], and errSilent if the server stopped
// answering, because it hangs or the network is interrupted.
var (
	errClosed = errors.New("the connection was closed")
	errSilent = errors.New("the server does not answer")
)

// RemoteError is an error that the server sent as the reply to a call. The connection remains
// usable.
type RemoteError struct{ Message string }

func (e *RemoteError) Error() string { return "the server answered with an error: " + e.Message }

// ClientOptions limit the calls in flight. A zero means the default.
type ClientOptions struct {
	// InFlight and Bytes limit the calls without a reply: 32, and 16 MiB. A call beyond that waits;
	// one that is larger than Bytes is sent alone.
	InFlight int
	Bytes    int64
	// ReplyBytes limits one reply. Default: 1 MiB.
	ReplyBytes int
	// Probe is how long the server may be silent before it is sent a ping, and how long it has for
	// the answer; it is also the time limit of a write and of the handshake. Default: 10 s.
	Probe time.Duration
	// Earlier are earlier versions of the protocol, with other names. One is used if the server has
	// it and not the newest one.
	Earlier []*Protocol
}

func (o ClientOptions) withDefaults() ClientOptions {
	if o.InFlight <= 0 {
		o.InFlight = 32
	}
	if o.Bytes <= 0 {
		o.Bytes = 16 << 20
	}
	if o.ReplyBytes <= 0 {
		o.ReplyBytes = 1 << 20
	}
	if o.Probe <= 0 {
		o.Probe = 10 * time.Second
	}
	return o
}

// Client is one connection to a server. Its methods may be called concurrently; calls are sent in
// the order of Start. It cannot be used after the connection broke.
type Client struct {
	conn    net.Conn
	in      *frameReader
	options ClientOptions
	spoken  *Protocol
	count   *semaphore.Weighted
	bytes   *semaphore.Weighted
	broken  chan struct{}
	queued  chan struct{} // there is something to write
	done    sync.WaitGroup
	signs   atomic.Int64 // number of received frames

	mu      sync.Mutex
	queue   []*Pending
	pending map[int32]*Pending
	last    int32
	err     error

	pool sync.Pool
}

// NewClient makes the handshake on conn. It closes conn if that fails.
func NewClient(ctx context.Context, conn net.Conn, p *Protocol, o ClientOptions) (*Client, error) {
	o = o.withDefaults()
	frames := new(frames)
	frames.free = int64(o.ReplyBytes) * 4
	running, cancel := context.WithCancel(context.Background())
	c := &Client{conn: conn, options: o, broken: make(chan struct{}), queued: make(chan struct{}, 1), pending: make(map[int32]*Pending),
		count: semaphore.NewWeighted(int64(o.InFlight)), bytes: semaphore.NewWeighted(o.Bytes),
		in: &frameReader{conn: conn, in: bufio.NewReaderSize(conn, readBuffer), frames: frames,
			limits: Limits{FrameBytes: o.ReplyBytes, Buffers: 4096, Frame: o.Probe}, ended: running}}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err := c.doHandshake(p)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		cancel()
		_ = conn.Close() // the error of the handshake is reported
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			err = fmt.Errorf("it closed the connection: is it a collector, and does it require TLS? %w", err)
		}
		return nil, fmt.Errorf("handshake with %s: %w", conn.RemoteAddr(), err)
	}
	c.done.Go(func() { c.fail(c.write()) })
	c.done.Go(func() { c.fail(c.read()); cancel() })
	c.done.Go(func() { c.fail(c.watch()) })
	return c, nil
}

// doHandshake makes the handshake with a ping. A server that does not know the protocol's hash is offered
// an earlier version, if its own protocol is one, and otherwise sent the text.
func (c *Client) doHandshake(p *Protocol) error {
	server, withText := p.Hash, false
	for range 3 {
		m, text, err := c.shakeHands(p, &server, withText)
		if err != nil {
			return err
		}
		if m != matchNone {
			c.spoken = p
			return c.conn.SetDeadline(time.Time{})
		}
		if earlier := named(c.options.Earlier, text); earlier != nil && earlier != p {
			p = earlier
			continue
		}
		if err := otherVersion(p, text); err != nil || withText {
			return cmp.Or(err, errProtocol)
		}
		withText = true
	}
	return errProtocol
}

// shakeHands sends one handshake and reads the reply, whose text has a copy of the server's
// protocol if it is present; server is then set to its hash.
func (c *Client) shakeHands(p *Protocol, server *Hash, withText bool) (m match, text []byte, err error) {
	b := appendRequestHandshake(make([]byte, frameHead, 128), p, *server, withText)
	b = append(b, 0, 0) // no metadata, and no message's name: a ping
	copy(b, appendFrame(nil, 0, len(b)-frameHead))
	if err := c.conn.SetDeadline(time.Now().Add(c.options.Probe)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(b); err != nil {
		return 0, nil, err
	}
	c.in.limits.Idle = c.options.Probe
	f, err := c.in.next()
	c.in.limits.Idle = 0
	if err != nil {
		return 0, nil, err
	}
	defer c.in.frames.put(f)
	r := NewReader(f.b)
	m, text = readHandshakeReply(&r, server)
	return m, bytes.Clone(text), r.Err()
}

// Protocol returns the protocol of the handshake: the one passed to NewClient, or one of
// ClientOptions.Earlier.
func (c *Client) Protocol() *Protocol { return c.spoken }

// Pending is a call in flight.
type Pending struct {
	client  *Client
	serial  int32
	message string
	head    []byte // belongs to the caller until the call is written
	body    []byte
	size    int64
	state   callState
	replied bool
	leaving bool // no caller waits any more, but the write still uses head and body
	reply   []byte
	err     error
	ended   chan struct{} // one token
}

type callState int

const (
	callQueued callState = iota
	callWriting
	callSent
	callLeft // no caller waits for it
)

// Start sends a call whose encoded parameters are head followed by body. It waits while the limits
// of calls in flight are reached. Both slices belong to the call until Wait has returned, which
// must be called once.
func (c *Client) Start(ctx context.Context, message string, head, body []byte) (*Pending, error) {
	size := min(int64(len(head)+len(body)), c.options.Bytes)
	if err := c.count.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if err := c.bytes.Acquire(ctx, size); err != nil {
		c.count.Release(1)
		return nil, err
	}
	p, ok := c.pool.Get().(*Pending)
	if !ok {
		p = &Pending{client: c, ended: make(chan struct{}, 1)}
	}
	*p = Pending{client: c, message: message, head: head, body: body, size: size, reply: p.reply[:0], ended: p.ended}
	if err := c.enqueue(p); err != nil {
		c.settle(p)
		return nil, err
	}
	return p, nil
}

func (c *Client) enqueue(p *Pending) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.last++
	p.serial = c.last
	c.pending[p.serial] = p
	c.queue = append(c.queue, p)
	c.wake()
	return nil
}

func (c *Client) wake() {
	select {
	case c.queued <- struct{}{}:
	default:
	}
}

func (c *Client) settle(p *Pending) {
	c.bytes.Release(p.size)
	c.count.Release(1)
}

// Wait waits for the reply and appends it to dst. If ctx ends first the call may still be executed
// by the server.
func (p *Pending) Wait(ctx context.Context, dst []byte) ([]byte, error) {
	select {
	case <-p.ended:
	case <-ctx.Done():
		if p.leave() {
			return dst, ctx.Err()
		}
		<-p.ended // soon: the reply has arrived, or a write ends at its deadline
	}
	if p.left() { // the goroutine that gets its reply settles it
		return dst, ctx.Err()
	}
	dst, err := append(dst, p.reply...), p.err
	p.head, p.body = nil, nil
	p.client.settle(p)
	if cap(p.reply) <= maxKeptReply {
		p.client.pool.Put(p)
	}
	return dst, err
}

// leave gives up a call for which no caller waits any more. It returns false if the call ends by
// itself soon.
func (p *Pending) leave() bool {
	c := p.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.replied {
		return false
	}
	switch p.state {
	case callWriting:
		p.leaving = true
		return false
	case callQueued:
		if c.pending[p.serial] == p { // otherwise the connection has failed, which ends the call in a moment
			delete(c.pending, p.serial)
			c.settle(p)
		}
	}
	p.state, p.head, p.body = callLeft, nil, nil
	return true
}

// left reports whether the call was given up while it was written.
func (p *Pending) left() bool {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	return p.state == callLeft
}

// Call is Start followed by Wait.
func (c *Client) Call(ctx context.Context, message string, head, body, dst []byte) ([]byte, error) {
	p, err := c.Start(ctx, message, head, body)
	if err != nil {
		return dst, err
	}
	return p.Wait(ctx, dst)
}

// LocalAddr returns the local address.
func (c *Client) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// Broken returns a channel that is closed when the connection cannot be used any more.
func (c *Client) Broken() <-chan struct{} { return c.broken }

// Err returns the reason for that, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and all calls, and waits for its goroutines. It returns nil.
func (c *Client) Close() error {
	c.fail(errClosed)
	c.done.Wait()
	return nil
}

// fail ends the connection once.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = fmt.Errorf("%s: %w", c.conn.RemoteAddr(), err)
	pending := c.pending
	c.pending, c.queue = nil, nil
	close(c.broken)
	c.mu.Unlock()
	_ = c.conn.Close() // the first error is reported
	for _, p := range pending {
		c.end(p, nil, c.err)
	}
}

// end sets the result of a call that was removed from all lists. If it is being written it ends
// when that is done.
func (c *Client) end(p *Pending, reply []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.reply, p.err, p.replied = append(p.reply, reply...), err, true
	switch p.state {
	case callLeft:
		c.settle(p)
	case callWriting:
	default:
		p.ended <- struct{}{}
	}
}

// wrote records that the calls of batch are written, or will never be.
func (c *Client) wrote(batch []*Pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range batch {
		batch[i] = nil
		p.state = callSent
		if p.leaving && !p.replied {
			p.state = callLeft
		}
		if p.ended != nil && (p.leaving || p.replied) {
			p.ended <- struct{}{}
		}
	}
}
