package rpc

import (
	"context"
	"errors"
	"time"
)

// probeMethod does not exist on any server: the thread that reads from the network reports that at
// once, however long the queue for handlers is. So a server that works on a call for a minute is
// alive, and a stopped one is not.
const probeMethod = "sluiceAreYouThere"

// sign records activity of the connection. Bytes received are activity; bytes sent are only if they
// are many, or the first for some time, as the kernels buffer some MB for a stopped process.
func (c *Conn) sign() { c.lastSign.Store(int64(time.Since(c.start))) }

// watch fails a connection whose server has pending calls and is silent.
func (c *Conn) watch() error {
	timeout := c.options.Timeout
	tick := time.NewTicker(timeout / 8)
	defer tick.Stop()
	for {
		select {
		case <-c.broken:
			return errClosed
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

// Ping returns nil if the server responds.
func (c *Conn) Ping(ctx context.Context) error {
	_, err := c.Call(ctx, &Request{Method: probeMethod})
	var remote *RemoteError
	if errors.As(err, &remote) && !errors.Is(err, ErrLost) { // the expected error: no such method
		return nil
	}
	return errors.Unwrap(err) // without the name of the method, which would be misleading
}

// probe requests a response of any kind, and does not wait for it.
func (c *Conn) probe() {
	p := &call{request: &Request{Method: probeMethod}, written: make(chan struct{}), answer: make(chan answer, 1)}
	if c.register(p) != nil {
		return
	}
	select {
	case c.queue <- p:
	default: // the queue is full, and its calls are probes themselves
		c.forget(p)
	}
}
