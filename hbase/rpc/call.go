package rpc

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Request is a call's half of the bytes. They belong to the caller again when Call
// has returned, not before.
type Request struct {
	Method string
	// Param is the message.
	Param []byte
	// Cells is the cell block, in pieces that are written one after the other; none
	// for most methods.
	Cells [][]byte
}

// Response is an answer. Message and Cells are valid until Release.
type Response struct {
	Message, Cells []byte

	frame *frame
}

// Release gives the answer's memory back; an answer that is kept needs none.
func (r *Response) Release() {
	if r.frame != nil {
		frames.Put(r.frame)
		r.frame, r.Message, r.Cells = nil, nil, nil
	}
}

// How far a call is: the writer takes it from queued to writing; a caller who has
// had enough takes it from queued to abandoned.
const (
	queued = iota
	writing
	abandoned
)

type call struct {
	id      uint32
	request *Request
	timeout time.Duration // for the server: it drops calls nobody waits for; 0 none
	state   atomic.Int32
	written chan struct{} // closed when the request's bytes are not used any more
	answer  chan answer   // holds one
}

type answer struct {
	response *Response
	err      error
}

// end answers the call; of several answers the first counts.
func (c *call) end(r *Response, err error) {
	select {
	case c.answer <- answer{r, err}:
	default:
		if r != nil {
			r.Release()
		}
	}
}

// Call sends the request and waits for its answer, for ctx, or for the end of the
// connection. An exception of the server is a *RemoteError. Where ctx ended or
// the connection broke, the server may still do what it was asked.
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

// settle waits until the writer has let go of the request's bytes.
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
		c.sign() // silence counts from when somebody waits
	}
	c.lastID++
	call.id = c.lastID
	c.calls[call.id] = call
	return nil
}

// forget takes a call off the list; nil when it is not on it.
func (c *Conn) forget(call *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, call.id)
}

// take takes the call of an answer off the list; nil when nobody waits for it.
func (c *Conn) take(id uint32) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.calls[id]
	delete(c.calls, id)
	return call
}

// waiting is how many calls are not answered.
func (c *Conn) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}
