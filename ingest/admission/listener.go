package admission

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Listener returns a listener that accepts only connections with a place at the gate. A connection
// stays pending until it is closed, so a new one can always replace the oldest of the peer that has
// the most.
func (g *Gate) Listener(l net.Listener) net.Listener {
	closed := make(chan struct{})
	return &listener{Listener: l, gate: g, closed: closed, end: sync.OnceFunc(func() { close(closed) })}
}

type listener struct {
	net.Listener
	gate   *Gate
	closed chan struct{} // closed by end
	end    func()
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.end()
	return l.Listener.Close()
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		if pause := l.gate.Pause(); pause > 0 {
			select {
			case <-time.After(pause):
			case <-l.closed: // Accept returns an error then
			}
		}
		c, err := l.Listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.gate.AcceptFailed(err)
			}
			return nil, err
		}
		addr, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // a pipe has no such address
		if place := l.gate.Admit(c, addr.Addr()); place != nil {
			return &placed{Conn: c, leave: sync.OnceFunc(func() { l.gate.Leave(place) })}, nil
		}
		c.Close() //nolint:errcheck // nothing was written to it
	}
}

// placed is a connection that returns its place when it is closed.
type placed struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}
