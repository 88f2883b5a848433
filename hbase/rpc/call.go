package rpc

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Request is the request of a call. Its bytes must not be changed until Call has returned.
type Request struct {
	Method string
	// Param is the message.
	Param []byte
	// Cells is the cell block, in buffers that are written one after the other; none for most
	// methods.
	Cells [][]byte
}

// Response is the response of a call. Message and Cells are valid until Release.
type Response struct {
	Message, Cells []byte

	frame *frame
}

// Release returns the response's memory for reuse; it may be omitted for a response that is kept.
func (r *Response) Release() {
	if r.frame != nil {
		r.frame.release()
		r.frame, r.Message, r.Cells = nil, nil, nil
	}
}

// The state of a call: the writer sets queued to writing; a caller that gives up sets queued to
// abandoned.
const (
	queued = iota
	writing
	abandoned
)

type call struct {
	id      uint32
	request *Request
	timeout time.Duration // for the server, which drops calls after it; 0: none
	state   atomic.Int32
	written chan struct{} // closed when the request's bytes are no longer used
	answer  chan answer   // holds one
}

type answer struct {
	response *Response
	err      error
}

// end completes the call; the first result counts.
func (c *call) end(r *Response, err error) {
	select {
	case c.answer <- answer{r, err}:
	default:
		if r != nil {
			r.Release()
		}
	}
}

// Call sends the request and waits for its response, for ctx, or for the end of the connection. An
// exception of the server is a *RemoteError. If ctx ended or the connection broke, the server may
// still execute the call.
func (c *Conn) Call(ctx context.Context, request *Request) (*Response, error) {
	call := &call{request: request, written: make(chan struct{}), answer: make(chan answer, 1)}
	if deadline, ok := ctx.Deadline(); ok {
		call.timeout = time.Until(deadline)
	}
	if err := ctx.Err(); err != nil {
		return nil, c.named(request, err)
	}
	if err := c.register(call); err != nil {
		return nil, err
	}
	select {
	case c.queue <- call:
	case <-c.broken:
	case <-ctx.Done():
		call.state.Store(abandoned)
	}
	select {
	case a := <-call.answer:
		c.settle(call)
		if a.err != nil {
			return nil, c.named(request, a.err)
		}
		return a.response, nil
	case <-ctx.Done():
	}
	c.forget(call)
	c.settle(call)
	return nil, c.named(request, ctx.Err())
}

func (c *Conn) named(request *Request, err error) error {
	return fmt.Errorf("%s: %s: %w", c.server, request.Method, err)
}

// settle waits until the writer no longer uses the request's bytes.
func (c *Conn) settle(call *call) {
	if call.state.CompareAndSwap(queued, abandoned) || call.state.Load() == abandoned {
		return
	}
	<-call.written // soon: a write has a deadline
}

func (c *Conn) register(call *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if len(c.calls) == 0 {
		c.sign() // silence is measured only while calls wait
	}
	c.lastID++
	call.id = c.lastID
	c.calls[call.id] = call
	return nil
}

// forget removes a call; nil if it is not pending.
func (c *Conn) forget(call *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, call.id)
}

// take removes the call of a response; nil if no call waits for it.
func (c *Conn) take(id uint32) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.calls[id]
	delete(c.calls, id)
	return call
}

// waiting is the number of pending calls.
func (c *Conn) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}
