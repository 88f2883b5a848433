package admission

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// conn is a connection that records that it was closed.
type conn struct {
	net.Conn
	closed bool
}

func (c *conn) Close() error { c.closed = true; return nil }

// fixture is a gate with its own clock and log.
type fixture struct {
	*Gate
	t   *testing.T
	now time.Time
	log bytes.Buffer
}

func newFixture(t *testing.T, limits Limits) *fixture {
	f := &fixture{t: t, now: time.Unix(1_800_000_000, 0)}
	f.Gate = New(limits, slog.New(slog.NewTextHandler(&f.log, nil)), func() time.Time { return f.now })
	return f
}

func (f *fixture) connect(addr string) (*conn, *Place) {
	c := &conn{}
	return c, f.Admit(c, netip.MustParseAddr(addr))
}

func TestPendingConnectionsDoNotKeepAnHonestPeerOut(t *testing.T) {
	f := newFixture(t, Limits{Conns: 100, ConnsPerPeer: 64})
	var first *conn
	for i := range 150 { // two addresses take everything
		c, _ := f.connect([]string{"192.0.2.1", "192.0.2.2"}[i%2])
		if first == nil {
			first = c
		}
	}
	_, honest := f.connect("192.0.2.3")
	if honest == nil {
		t.Fatal("the honest peer was rejected")
	}
	if !first.closed {
		t.Error("the oldest pending connection was not closed")
	}
	if !f.Authenticate(honest, nil) {
		t.Error("the connection of the honest peer was closed")
	}
	for range 1000 {
		f.connect("192.0.2.1")
		f.connect("192.0.2.2")
	}
	if !f.Authenticate(honest, nil) {
		t.Error("an authenticated connection was closed")
	}
	if f.total > 100 {
		t.Errorf("%d connections, more than the limit", f.total)
	}
}

func TestAuthenticatedConnectionsAreNotReplacedByPendingOnes(t *testing.T) {
	f := newFixture(t, Limits{Conns: 3, ConnsPerPeer: 2})
	var served []*conn
	for _, addr := range []string{"192.0.2.1", "192.0.2.2"} {
		c, p := f.connect(addr)
		if !f.Authenticate(p, nil) {
			t.Fatal("rejected below the limit")
		}
		served = append(served, c)
	}
	f.now = f.now.Add(time.Hour) // their turn would be over
	for i := range 100 {
		f.connect("192.0.2." + string(rune('3'+i%5)))
	}
	for i, c := range served {
		if c.closed {
			t.Errorf("authenticated connection %d was closed for one that has not authenticated", i)
		}
	}
}

// Each of 40 peers that always reconnect is served within a few turns, and none is closed before
// its turn is over.
func TestMorePeersThanPlacesTakeTurns(t *testing.T) {
	f := newFixture(t, Limits{Conns: 16, ConnsPerPeer: 1, Turn: 5 * time.Second})
	type client struct {
		conn  *conn
		place *Place
		since time.Time
	}
	clients := make([]client, 40)
	everServed := map[int]bool{}
	for second := 0; second < 30; second++ {
		for i := range clients {
			c := &clients[i]
			if c.conn != nil && c.conn.closed {
				if held := f.now.Sub(c.since); held < 5*time.Second {
					t.Fatalf("peer %d was closed after %v", i, held)
				}
				*c = client{}
			}
			if c.conn != nil {
				continue
			}
			conn, place := f.connect(fmt.Sprintf("192.0.2.%d", i+1))
			if place != nil && f.Authenticate(place, nil) {
				*c = client{conn, place, f.now}
				everServed[i] = true
			}
		}
		f.now = f.now.Add(time.Second)
		if f.total > 16 || f.authenticated > 15 {
			t.Fatalf("%d connections, %d authenticated", f.total, f.authenticated)
		}
	}
	if len(everServed) != len(clients) {
		t.Errorf("%d of %d peers were served", len(everServed), len(clients))
	}
}

func TestAPeerDoesNotTakeTheTurnsOfOthersThatHaveFewerPlaces(t *testing.T) {
	f := newFixture(t, Limits{Conns: 33, ConnsPerPeer: 20, Turn: 5 * time.Second})
	var honest []*conn
	for i := range 31 {
		c, p := f.connect(fmt.Sprintf("192.0.2.%d", i+1))
		f.Authenticate(p, nil)
		honest = append(honest, c)
	}
	closed := func() (n int) {
		for _, c := range honest {
			if c.closed {
				n++
			}
		}
		return n
	}
	for range 1000 {
		f.now = f.now.Add(10 * time.Second)
		if _, p := f.connect("198.51.100.1"); p != nil {
			f.Authenticate(p, nil)
		}
	}
	if n := closed(); n > 1 {
		t.Errorf("%d honest connections were closed for one peer's", n)
	}
}

func TestPeersOfRejectedConnectionsAreReportedForSomeTime(t *testing.T) {
	f := newFixture(t, Limits{Conns: 3, ConnsPerPeer: 1})
	if w := f.Warnings(); w != nil {
		t.Errorf("warnings before any rejection: %q", w)
	}
	for range 10 {
		f.connect("192.0.2.9")
		f.connect("2001:db8::1")
	}
	w := f.Warnings()
	if len(w) != 1 || !strings.Contains(w[0], "17 connections rejected") || !strings.Contains(w[0], "9 of them from 192.0.2.9") {
		t.Errorf("%q", w)
	}
	f.now = f.now.Add(reportTime)
	if w := f.Warnings(); w != nil {
		t.Errorf("the warning does not end: %q", w)
	}
}

func TestFailuresToAcceptAreReportedUntilOneConnectionIsAccepted(t *testing.T) {
	f := newFixture(t, Limits{Conns: 3, ConnsPerPeer: 1})
	for range 100 {
		f.AcceptFailed(syscall.EMFILE)
		f.now = f.now.Add(50 * time.Millisecond)
	}
	if w := f.Warnings(); len(w) != 1 || !strings.Contains(w[0], "100 attempts: too many open files") {
		t.Errorf("%q", w)
	}
	if n := strings.Count(f.log.String(), "\n"); n != 1 {
		t.Errorf("%d lines were logged:\n%s", n, f.log.String())
	}
	f.connect("192.0.2.1")
	if f.Warnings() != nil || f.Failing().Err != nil {
		t.Errorf("%q, %v", f.Warnings(), f.Failing())
	}
}

func TestOnePeerHasNoMoreThanItsPlaces(t *testing.T) {
	for _, c := range []struct {
		name, first, next string
		limit             int
	}{
		{"an IPv4 address", "192.0.2.1", "192.0.2.1", 3},
		{"an IPv4 address written as IPv6", "192.0.2.1", "::ffff:192.0.2.1", 3},
		{"an IPv6 address", "2001:db8::1", "2001:db8::1", 12},
		{"an IPv6 /64", "2001:db8::1", "2001:db8::ffff:2", 12},
		{"a link-local address with its zone", "fe80::1%eth0", "fe80::2%eth1", 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, Limits{Conns: 100, ConnsPerPeer: 3})
			for range c.limit {
				if _, p := f.connect(c.first); p == nil {
					t.Fatal("rejected below the limit")
				}
			}
			if _, p := f.connect(c.next); p != nil {
				t.Error("one more than the limit was admitted")
			}
			if _, p := f.connect("198.51.100.1"); p == nil {
				t.Error("another peer was rejected")
			}
		})
	}
}

func TestAnIdleConnectionIsClosedForAnotherPeer(t *testing.T) {
	f := newFixture(t, Limits{Conns: 100, ConnsPerPeer: 2})
	held, _ := f.connect("192.0.2.1")
	f.connect("192.0.2.1")
	if _, p := f.connect("192.0.2.1"); p != nil {
		t.Fatal("a flood was not rejected at once")
	}
	f.now = f.now.Add(2 * time.Second)
	if _, p := f.connect("192.0.2.1"); p == nil || !held.closed {
		t.Errorf("place %v, closed %v: the authenticating connection was not admitted", p, held.closed)
	}
}

func TestPlacesAreGivenBackOnce(t *testing.T) {
	f := newFixture(t, Limits{Conns: 2, ConnsPerPeer: 2})
	_, a := f.connect("192.0.2.1")
	_, b := f.connect("192.0.2.1")
	f.Leave(a)
	f.Leave(a)
	f.Leave(b)
	if f.total != 0 || len(f.peers) != 0 {
		t.Errorf("%d places and %d peers are left", f.total, len(f.peers))
	}
	if f.Authenticate(a, nil) {
		t.Error("a place that was given back was authenticated")
	}
}

func TestRejectionsAreLoggedOnceAMinuteWithTheirCount(t *testing.T) {
	f := newFixture(t, Limits{Conns: 1, ConnsPerPeer: 1})
	_, p := f.connect("192.0.2.1")
	f.Authenticate(p, nil)
	for range 1000 {
		f.connect("192.0.2.2")
	}
	if n := strings.Count(f.log.String(), "\n"); n != 1 {
		t.Errorf("%d lines were logged for a flood:\n%s", n, f.log.String())
	}
	f.now = f.now.Add(time.Minute)
	f.connect("192.0.2.2")
	if !strings.Contains(f.log.String(), "rejected=1000\n") {
		t.Errorf("the count is missing:\n%s", f.log.String())
	}
	if f.rejected != 1001 {
		t.Errorf("%d rejected, want 1001", f.rejected)
	}
}

func TestAListenerServesAPeerThatComesAfterAFlood(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := New(Limits{Conns: 4, ConnsPerPeer: 3}, slog.New(slog.DiscardHandler), nil)
	l := g.Listener(plain)
	accepted := make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	defer func() { _ = l.Close(); <-done }()
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.DialContext(t.Context(), "tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range 3 {
		defer dial("127.0.0.1").Close()
		defer (<-accepted).Close()
	}
	fourth := dial("127.0.0.1")
	defer fourth.Close()
	if _, err := fourth.Read(make([]byte, 1)); err == nil {
		t.Error("a connection beyond the peer's places was not closed")
	}
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} { // the second replaces one of the flood
		defer dial(from).Close()
		defer (<-accepted).Close()
	}
	if g.rejected != 2 {
		t.Errorf("%d rejected, want the fourth and one that was replaced", g.rejected)
	}
}
