package avrorpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"sluice/ingest/admission"
)

// serverConn is a connection that is served.
type serverConn struct {
	*listening
	conn    net.Conn
	peer    Peer
	place   *admission.Place
	session Session
	known   *Protocol
	drained context.Context
	cancel  context.CancelFunc

	slots   chan struct{} // one for each call that is not answered
	begin   chan *Call    // calls that were read, in order
	work    chan *Call    // calls that were begun
	workers int
	done    sync.WaitGroup
	pings   allowance
	idle    allowance // of calls without content

	mu  sync.Mutex // one writer at a time
	err error      // why nothing can be written any more
}

// run reads until the peer ends, then waits for the calls that were begun.
func (c *serverConn) run(ctx context.Context, in *frameReader) error {
	c.done.Go(c.beginCalls)
	err := c.read(ctx, in)
	if ctx.Err() == nil {
		c.cancel() // the peer is gone and needs no replies
	}
	close(c.begin)
	c.done.Wait()
	if c.session != nil {
		c.session.Close()
	}
	if c.err != nil {
		return c.err
	}
	return err
}

func (c *serverConn) read(ctx context.Context, in *frameReader) error {
	first := in.limits.Idle
	in.limits.Idle = in.limits.Frame // until the handshake
	for {
		f, err := in.next()
		if err != nil {
			return err
		}
		call := c.newCall(f)
		ping, err := c.envelope(ctx, call)
		if err != nil || ping {
			if err == nil {
				c.pace(ctx, &c.pings)
				err = c.answer(call)
			}
			c.release(call)
			if err != nil {
				return err
			}
			continue
		}
		if in.limits.Idle = first; !c.gate.Authenticate(c.place, c.peer.Names) {
			c.release(call)
			return errReplaced
		}
		select {
		case c.slots <- struct{}{}:
			c.begin <- call // has capacity for as many as there are slots
		case <-ctx.Done():
			c.release(call)
			return ctx.Err()
		}
	}
}

func (c *serverConn) newCall(f *frame) *Call {
	call, ok := c.calls.Get().(*Call)
	if !ok {
		call = new(Call)
	}
	*call = Call{Peer: &c.peer, frame: f, serial: f.serial, reply: call.reply[:0]}
	return call
}

// begun returns the frame of a call, so that calls that wait for the disk do not hold the memory
// that others need to be received.
func (c *serverConn) begun(call *Call) {
	if call.frame != nil {
		c.frames.put(call.frame)
	}
	call.frame, call.Params = nil, nil
}

func (c *serverConn) release(call *Call) {
	c.begun(call)
	call.finisher, call.err = nil, nil
	if cap(call.reply) <= maxKeptReply {
		c.calls.Put(call)
	}
}

const maxKeptReply = 16 << 10

// envelope parses what precedes the parameters. ping: the call only needs an answer.
func (c *serverConn) envelope(ctx context.Context, call *Call) (ping bool, err error) {
	r := NewReader(call.frame.b)
	if c.session == nil {
		p, m := readHandshake(&r, c.protocols)
		if r.Err() != nil {
			return false, r.Err()
		}
		call.isHandshake, call.handshake, c.known = true, m, p
		if m == matchNone {
			return true, nil
		}
		if err := c.open(ctx, p); err != nil {
			return false, err
		}
	}
	skipMeta(&r)
	call.Message = internName(r.Bytes(maxName))
	call.Params = r.Rest()
	return call.Message == "", r.Err()
}

func (c *serverConn) open(ctx context.Context, p *Protocol) (err error) {
	for _, s := range c.Services {
		if s.Protocol == p {
			c.session, err = s.Open(ctx, c.peer)
			return err
		}
	}
	return errProtocol
}

// internName saves an allocation for each call with a common name.
func internName(b []byte) string {
	switch string(b) {
	case "append":
		return "append"
	case "appendBatch":
		return "appendBatch"
	case "status":
		return "status"
	}
	return string(b)
}

// beginCalls begins calls in order, and passes them to as many workers as there are concurrent
// calls.
func (c *serverConn) beginCalls() {
	defer close(c.work)
	for call := range c.begin {
		if c.drained.Err() != nil { // no reply is possible, and an earlier call may not have been begun
			c.end(call)
			continue
		}
		call.finisher, call.err = c.session.Begin(c.drained, call)
		c.begun(call)
		if errors.Is(call.err, ErrHangUp) {
			c.broke(call.err)
			c.end(call)
			continue
		}
		if call.Idle || call.err != nil {
			c.pace(c.drained, &c.idle)
		}
		select {
		case c.work <- call:
			continue
		default:
		}
		if c.workers < c.Limits.InFlight {
			c.workers++
			c.done.Go(c.finishCalls)
		}
		c.work <- call
	}
}

func (c *serverConn) finishCalls() {
	for call := range c.work {
		if err := c.answer(call); err != nil {
			c.broke(err)
		}
		c.end(call)
	}
}

func (c *serverConn) end(call *Call) {
	c.release(call)
	<-c.slots
}

// answer finishes a call and writes its reply.
func (c *serverConn) answer(call *Call) error {
	b := appendFrame(call.reply, call.serial, 0)
	if call.isHandshake {
		b = appendHandshake(b, c.known, call.handshake)
	}
	if !call.isHandshake || call.handshake != matchNone {
		b = append(b, 0) // no metadata
		b = c.result(call, b)
	}
	n := len(b) - frameHead
	copy(b, appendFrame(b[:0:frameHead], call.serial, n))
	call.reply = b
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.Limits.Write)); err != nil {
		return err
	}
	_, err := c.conn.Write(b)
	return err
}

const frameHead = 12

func (c *serverConn) result(call *Call, b []byte) []byte {
	err := call.err
	if err == nil {
		ok := append(b, 0) // no error; a ping's whole reply
		if call.finisher == nil {
			return ok
		}
		if ok, err = call.finisher.Finish(c.drained, ok); err == nil {
			return ok
		}
	}
	return AppendBytes(append(b, 1, 0), err.Error()) // an error, of the union's first branch
}

// broke ends the connection because of an internal error or an error of a write.
func (c *serverConn) broke(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = fmt.Errorf("serve %s: %w", c.peer.Address, err)
	}
	c.mu.Unlock()
	c.cancel()
	_ = c.conn.Close() // the first error is reported
}
