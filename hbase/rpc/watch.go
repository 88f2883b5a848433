package rpc

import (
	"context"
	"errors"
	"time"
)

// probeMethod is one that no server has: the thread that reads from the network
// says so itself, at once, however long the queue for handlers is. So a server
// that works on our calls for a minute is alive, and one that was stopped is not.
const probeMethod = "sluiceAreYouThere"

// sign notes that the connection moves. What arrives is a sign of life; bytes that
// could be sent are one only where they are many, or the first for some time, for
// the kernels take some MB for a process that is stopped.
func (c *Conn) sign() { c.lastSign.Store(int64(time.Since(c.start))) }

// watch ends a connection whose server has calls to answer and is silent.
func (c *Conn) watch() error {
	timeout := c.options.Timeout
	tick := time.NewTicker(timeout / 8)
	defer tick.Stop()
	for {
		select {
		case <-c.broken:
			return ErrClosed
		case <-tick.C:
		}
		silence := time.Since(c.start) - time.Duration(c.lastSign.Load())
		switch {
		case c.waiting() == 0:
		case silence >= timeout:
			return ErrSilent
		case silence >= timeout/2 && !c.probing.Swap(true):
			c.probe()
		}
	}
}

// Ping returns nil when the server answers at all.
func (c *Conn) Ping(ctx context.Context) error {
	_, err := c.Call(ctx, &Request{Method: probeMethod})
	var remote *RemoteError
	if errors.As(err, &remote) && !errors.Is(err, ErrLost) { // it has no such method
		return nil
	}
	return errors.Unwrap(err) // the method's name would tell nobody anything
}

// probe asks for a sign of life; any answer is one, and nobody waits for it.
func (c *Conn) probe() {
	p := &call{request: &Request{Method: probeMethod}, written: make(chan struct{}), answer: make(chan answer, 1)}
	if c.register(p) != nil {
		return
	}
	select {
	case c.queue <- p:
	default: // what waits there before it is a probe itself
		c.forget(p)
	}
}
