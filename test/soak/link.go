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

// Weather is what a link does to the bytes that come.
type Weather int

const (
	// Fair weather passes them on.
	Fair Weather = iota
	// Down: every connection is reset, new ones too.
	Down
	// Slow: each piece of up to 32 KiB waits for the link's delay.
	Slow
	// Mute swallows what the server answers: it has taken what nobody hears of.
	Mute
	// HalfOpen swallows everything, as a router that forgot the connection does; no end
	// of it is told either side.
	HalfOpen
)

// Link is a way from one agent to one collector: a TCP proxy that can be disturbed.
type Link struct {
	Target   string // host:port; not to be changed any more once it runs
	listener net.Listener

	mu      sync.Mutex
	weather Weather
	delay   time.Duration // of each piece, where it is slow
	changed chan struct{}
	pipes   map[*pipe]bool
	// connections were made, resets were ours.
	connections, resets int
}

// pipe is a connection through a link. lost: bytes of it were swallowed, so that
// nothing of it may arrive any more.
type pipe struct {
	in, out net.Conn
	lost    bool
}

// NewLink listens on a port of its own; Run ends that.
func NewLink() (*Link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &Link{listener: l, changed: make(chan struct{}), pipes: map[*pipe]bool{}}, nil
}

// Address is where agents connect to.
func (l *Link) Address() string { return l.listener.Addr().String() }

// Run takes connections until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	var pipes errgroup.Group
	stop := context.AfterFunc(ctx, func() {
		_ = l.close() // Accept says it
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

// close is for a link that may not have run.
func (l *Link) close() error {
	if err := l.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Set changes the weather. What had lost bytes is reset when it is fair again: as
// much as a router does that comes back.
func (l *Link) Set(w Weather, delay time.Duration) {
	l.mu.Lock()
	l.weather, l.delay = w, delay
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	l.reset(func(p *pipe) bool { return w == Down || w == Fair && p.lost })
}

// reset ends connections without a word.
func (l *Link) reset(which func(*pipe) bool) {
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
			_ = t.SetLinger(0) // without it the end would look orderly
		}
		_ = c.Close() // it is meant to be cut
	}
}

// serve takes one connection to its end.
func (l *Link) serve(ctx context.Context, in net.Conn) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Target)
	if err != nil { // the collector is not there
		(&pipe{in: in, out: in}).abort()
		return
	}
	p := &pipe{in: in, out: out}
	l.mu.Lock()
	l.connections++
	refused := l.weather == Down || ctx.Err() != nil
	if !refused {
		l.pipes[p] = true
	}
	l.mu.Unlock()
	if !refused {
		var both errgroup.Group
		both.Go(func() error { l.carry(ctx, p, in, out, false); return nil })
		both.Go(func() error { l.carry(ctx, p, out, in, true); return nil })
		_ = both.Wait() // it is nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pipes, p)
	p.abort()
}

// carry takes bytes one way until that ends.
func (l *Link) carry(ctx context.Context, p *pipe, from, to net.Conn, replies bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !l.pass(ctx, p, replies) {
			// Its end is lost, too: the other side hears nothing until it is reset.
			if err != nil {
				l.untilFair(ctx, p)
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
		if err == io.EOF { // an orderly end is told
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

// pass says whether what came goes on, when it is time for it.
func (l *Link) pass(ctx context.Context, p *pipe, replies bool) bool {
	l.mu.Lock()
	if l.weather == HalfOpen || l.weather == Mute && replies {
		p.lost = true
	}
	slow, delay, lost, changed := l.weather == Slow, l.delay, p.lost, l.changed
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
	// A reply that was swallowed leaves a hole in what the agent hears; what the agent
	// says goes on while replies alone are lost.
	return !lost || !replies && l.muted()
}

func (l *Link) muted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.weather == Mute
}

// untilFair waits until the link's connections with losses are reset.
func (l *Link) untilFair(ctx context.Context, p *pipe) {
	for {
		l.mu.Lock()
		over, changed := l.weather == Fair || l.weather == Down, l.changed
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
