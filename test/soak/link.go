package soak

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// linkMode is how a link treats the bytes that it receives.
type linkMode int

const (
	// up forwards them.
	up linkMode = iota
	// down resets every connection, including new ones.
	down
	// slow delays each read of up to 32 KiB.
	slow
	// mute discards the server's replies: the server processes requests, and the client does not
	// know.
	mute
	// halfOpen discards everything, like a router that lost the connection's state; neither side
	// sees the end of the connection.
	halfOpen
)

// link is a TCP proxy from one agent to one collector, with faults.
type link struct {
	target   string // host:port; constant after Run was called
	listener net.Listener

	mu      sync.Mutex
	mode    linkMode
	delay   time.Duration // of each read, if slow
	changed chan struct{}
	pipes   map[*pipe]bool
	// Number of connections, and of those that the link reset.
	connections, resets int
}

// pipe is a connection through a link. lost means that bytes of it were discarded, so that later
// ones must not arrive.
type pipe struct {
	in, out net.Conn
	lost    bool
}

// newLink listens on a new port until Run ends.
func newLink() (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &link{listener: l, changed: make(chan struct{}), pipes: map[*pipe]bool{}}, nil
}

// address returns the address for agents.
func (l *link) address() string { return l.listener.Addr().String() }

// Run accepts connections until ctx ends.
func (l *link) Run(ctx context.Context) error {
	var pipes errgroup.Group
	stop := context.AfterFunc(ctx, func() {
		_ = l.close() // Accept returns the error
		l.reset(func(*pipe) bool { return true })
	})
	defer stop()
	for {
		in, err := l.listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				err = in.Close()
			} else {
				err = nil
			}
			return errors.Join(err, pipes.Wait())
		}
		if err != nil {
			return err
		}
		pipes.Go(func() error { l.serve(ctx, in); return nil })
	}
}

// close closes a link that may not have been run.
func (l *link) close() error {
	if err := l.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// set changes the mode. Connections that lost bytes are reset when the link is up again, as a
// restarted router does.
func (l *link) set(w linkMode, delay time.Duration) {
	l.mu.Lock()
	l.mode, l.delay = w, delay
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	l.reset(func(p *pipe) bool { return w == down || w == up && p.lost })
}

// reset resets the selected connections.
func (l *link) reset(which func(*pipe) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.pipes {
		if which(p) {
			l.resets++
			p.abort()
		}
	}
}

// abort makes both sides see a reset.
func (p *pipe) abort() {
	for _, c := range []net.Conn{p.in, p.out} {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // reset instead of FIN
		}
		_ = c.Close() // errors are expected
	}
}

// serve forwards one connection until its end.
func (l *link) serve(ctx context.Context, in net.Conn) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.target)
	if err != nil { // the collector is not running
		(&pipe{in: in, out: in}).abort()
		return
	}
	p := &pipe{in: in, out: out}
	l.mu.Lock()
	l.connections++
	refused := l.mode == down || ctx.Err() != nil
	if !refused {
		l.pipes[p] = true
	}
	l.mu.Unlock()
	if !refused {
		var both errgroup.Group
		both.Go(func() error { l.carry(ctx, p, in, out, false); return nil })
		both.Go(func() error { l.carry(ctx, p, out, in, true); return nil })
		_ = both.Wait() // it is always nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pipes, p)
	p.abort()
}

// carry copies bytes in one direction until the connection ends.
func (l *link) carry(ctx context.Context, p *pipe, from, to net.Conn, replies bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !l.pass(ctx, p, replies) {
			// The end of the connection is lost, too: the other side notices it at the reset.
			if err != nil {
				l.untilUp(ctx, p)
				return
			}
			continue
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				p.abort()
				return
			}
		}
		if err == io.EOF { // forward an orderly end
			if t, ok := to.(*net.TCPConn); ok {
				_ = t.CloseWrite() // it may have ended, too
			}
			return
		}
		if err != nil {
			p.abort()
			return
		}
	}
}

// pass waits as long as the link delays data, and reports whether to forward it.
func (l *link) pass(ctx context.Context, p *pipe, replies bool) bool {
	l.mu.Lock()
	if l.mode == halfOpen || l.mode == mute && replies {
		p.lost = true
	}
	slow, delay, lost, changed := l.mode == slow, l.delay, p.lost, l.changed
	l.mu.Unlock()
	if slow && !lost {
		late := time.NewTimer(delay)
		defer late.Stop()
		select {
		case <-late.C:
		case <-changed:
		case <-ctx.Done():
		}
	}
	// After a lost reply the agent must get no later one; its requests are still forwarded if only
	// replies are lost.
	return !lost || !replies && l.muted()
}

func (l *link) muted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode == mute
}

// untilUp waits until the link is up again, and the connections with losses are reset.
func (l *link) untilUp(ctx context.Context, p *pipe) {
	for {
		l.mu.Lock()
		over, changed := l.mode == up || l.mode == down, l.changed
		l.mu.Unlock()
		if over || ctx.Err() != nil {
			p.abort()
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
