package avrorpc

import (
	"bufio"
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

// ErrClosed is what calls end with when [Client.Close] was called, ErrSilent when
// the server stopped answering: it hangs, or the way to it is cut.
var (
	ErrClosed = errors.New("the connection was closed")
	ErrSilent = errors.New("the server is silent")
)

// RemoteError is an error that the server sent as the reply to a call. The
// connection is as good as before.
type RemoteError struct{ Message string }

func (e *RemoteError) Error() string { return "the server answered with an error: " + e.Message }

// ClientOptions say how much may be on its way. A zero means the default.
type ClientOptions struct {
	// InFlight and Bytes bound the calls without a reply: 32, and 16 MiB. A call
	// beyond waits; one that is larger than Bytes goes alone.
	InFlight int
	Bytes    int64
	// ReplyBytes bounds one reply. 1 MiB.
	ReplyBytes int
	// Probe is how long nothing may have come before the server is asked for a sign,
	// and how long it has for that; also the time for a write and the handshake. 10 s.
	Probe time.Duration
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

// Client is one connection to a server. Its methods are safe for concurrent use;
// calls go out in the order of Start. After it broke it is of no more use.
type Client struct {
	conn    net.Conn
	in      *frameReader
	options ClientOptions
	count   *semaphore.Weighted
	bytes   *semaphore.Weighted
	broken  chan struct{}
	queued  chan struct{} // there is something to write
	done    sync.WaitGroup
	signs   atomic.Int64 // frames that came

	mu      sync.Mutex
	queue   []*Pending
	pending map[int32]*Pending
	last    int32
	err     error

	spare sync.Pool
}

// NewClient shakes hands on conn, which it closes when that fails.
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
	err := c.greet(p)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		cancel()
		_ = conn.Close() // the error that counts is why
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			err = fmt.Errorf("it hung up: is it a collector, and does it want TLS? %w", err)
		}
		return nil, fmt.Errorf("shake hands with %s: %w", conn.RemoteAddr(), err)
	}
	c.done.Go(func() { c.fail(c.write()) })
	c.done.Go(func() { c.fail(c.read()); cancel() })
	c.done.Go(func() { c.fail(c.watch()) })
	return c, nil
}

// greet shakes hands by a ping; a server that does not know the protocol is told
// its text.
func (c *Client) greet(p *Protocol) error {
	server := p.Hash
	for _, text := range []bool{false, true} {
		b := appendRequestHandshake(make([]byte, frameHead, 128), p, server, text)
		b = append(b, 0, 0) // no metadata, and no message's name: a ping
		copy(b, appendFrame(nil, 0, len(b)-frameHead))
		if err := c.conn.SetDeadline(time.Now().Add(c.options.Probe)); err != nil {
			return err
		}
		if _, err := c.conn.Write(b); err != nil {
			return err
		}
		c.in.limits.Idle = c.options.Probe
		f, err := c.in.next()
		c.in.limits.Idle = 0
		if err != nil {
			return err
		}
		r := NewReader(f.b)
		m, spoken := readHandshakeReply(&r, &server)
		if err = r.Err(); err == nil && m == matchNone {
			err = otherVersion(p, spoken)
		}
		c.in.frames.put(f)
		if err != nil {
			return err
		}
		if m != matchNone {
			return c.conn.SetDeadline(time.Time{})
		}
	}
	return ErrProtocol
}

// Pending is a call on its way.
type Pending struct {
	client  *Client
	serial  int32
	message string
	head    []byte // the caller's, until the call is written
	body    []byte
	size    int64
	state   callState
	replied bool
	leaving bool // nobody waits any more, but the write has head and body
	reply   []byte
	err     error
	ended   chan struct{} // one token
}

type callState int

const (
	callQueued callState = iota
	callWriting
	callSent
	callLeft // nobody waits for it
)

// Start sends a call whose parameters are head and body together, encoded; it waits
// while as much is on its way as may be. Both belong to the call until Wait has
// returned, which is to be called once.
func (c *Client) Start(ctx context.Context, message string, head, body []byte) (*Pending, error) {
	size := min(int64(len(head)+len(body)), c.options.Bytes)
	if err := c.count.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if err := c.bytes.Acquire(ctx, size); err != nil {
		c.count.Release(1)
		return nil, err
	}
	p, ok := c.spare.Get().(*Pending)
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

// Wait waits for the reply and appends it to dst. When ctx ends first the call may
// still be carried out.
func (p *Pending) Wait(ctx context.Context, dst []byte) ([]byte, error) {
	select {
	case <-p.ended:
	case <-ctx.Done():
		if p.leave() {
			return dst, ctx.Err()
		}
		<-p.ended // soon: the reply has come, or a write ends at its deadline
	}
	if p.left() { // its reply may come now: who takes that settles it
		return dst, ctx.Err()
	}
	dst, err := append(dst, p.reply...), p.err
	p.head, p.body = nil, nil
	p.client.settle(p)
	if cap(p.reply) <= maxKeptReply {
		p.client.spare.Put(p)
	}
	return dst, err
}

// leave says whether the call is nobody's now; if not it ends by itself.
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
		if c.pending[p.serial] == p { // else the connection has failed, and ends it in a moment
			delete(c.pending, p.serial)
			c.settle(p)
		}
	}
	p.state, p.head, p.body = callLeft, nil, nil
	return true
}

// left says whether it became nobody's while it was written.
func (p *Pending) left() bool {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	return p.state == callLeft
}

// Call is Start and Wait.
func (c *Client) Call(ctx context.Context, message string, head, body, dst []byte) ([]byte, error) {
	p, err := c.Start(ctx, message, head, body)
	if err != nil {
		return dst, err
	}
	return p.Wait(ctx, dst)
}

// LocalAddr is this side's address.
func (c *Client) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// Broken is closed when the connection is of no more use.
func (c *Client) Broken() <-chan struct{} { return c.broken }

// Err is why it is, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and all calls, and waits for its goroutines.
func (c *Client) Close() error {
	c.fail(ErrClosed)
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
	_ = c.conn.Close() // what broke it is the error that counts
	for _, p := range pending {
		c.end(p, nil, c.err)
	}
}

// end gives a call that is in no list any more its result. One that is being
// written ends when it is written.
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

// wrote notes that calls are written, as far as they ever will be.
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
