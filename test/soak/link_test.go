package soak

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// echo returns each line, and counts them.
type echo struct {
	net.Listener
	mu    sync.Mutex
	lines []string
}

func (e *echo) serve() {
	for {
		conn, err := e.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			in := bufio.NewReader(conn)
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				e.mu.Lock()
				e.lines = append(e.lines, line)
				e.mu.Unlock()
				if _, err := io.WriteString(conn, line); err != nil {
					return
				}
			}
		}()
	}
}

// came waits until n lines were received.
func (e *echo) came(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(5 * time.Minute)
	for {
		e.mu.Lock()
		got := len(e.lines)
		e.mu.Unlock()
		if got == n {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d lines came, want %d", got, n)
		}
	}
}

// A link treats connections according to its mode, and a connection that lost bytes never forwards
// later ones.
func TestALinkFollowsItsMode(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: listener}
	go e.serve()
	defer listener.Close()
	l, err := newLink()
	if err != nil {
		t.Fatal(err)
	}
	l.target = listener.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	dial := func() (net.Conn, *bufio.Reader) {
		t.Helper()
		conn, err := net.Dial("tcp", l.address())
		if err != nil {
			t.Fatal(err)
		}
		return conn, bufio.NewReader(conn)
	}
	say := func(conn net.Conn) {
		t.Helper()
		if _, err := io.WriteString(conn, "line\n"); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(in *bufio.Reader) {
		t.Helper()
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	reset := func(in *bufio.Reader) {
		t.Helper()
		if got, err := in.ReadString('\n'); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q, %v", got, err)
		}
	}

	conn, in := dial()
	defer conn.Close()
	say(conn)
	answered(in)
	l.set(mute, 0)
	say(conn)
	e.came(t, 2) // received, and the reply is discarded
	l.set(up, 0)
	reset(in)

	conn, in = dial()
	defer conn.Close()
	say(conn)
	answered(in)
	l.set(halfOpen, 0)
	say(conn)
	l.set(slow, time.Millisecond)
	say(conn) // sent after lost bytes, or before the loss was noticed
	l.set(down, 0)
	reset(in)

	l.set(slow, time.Millisecond)
	conn, in = dial()
	defer conn.Close()
	say(conn)
	answered(in)
	l.set(down, 0)
	reset(in)
	// The connection is reset when it is accepted, during or after Dial.
	last, err := net.Dial("tcp", l.address())
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	reset(bufio.NewReader(last))
}
