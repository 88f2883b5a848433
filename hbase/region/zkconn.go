package region

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// maxZooKeeperFrame bounds a reply: ZooKeeper's own bound for a node (jute.maxbuffer) is 1 MiB.
const maxZooKeeperFrame = 4 << 20

// zkServers implements zk.HostProvider with the names from the URL: each is resolved when it is
// dialled, so that a name that cannot be resolved affects only itself, and a changed address is
// found.
type zkServers struct {
	mu      sync.Mutex
	servers []string
	at      int
	tried   int // since the last connection
}

// Init implements zk.HostProvider.
func (s *zkServers) Init(servers []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers = append([]string(nil), servers...)
	rand.Shuffle(len(servers), func(i, j int) { s.servers[i], s.servers[j] = s.servers[j], s.servers[i] })
	s.at, s.tried = -1, 0
	return nil
}

// Len implements zk.HostProvider.
func (s *zkServers) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.servers)
}

// Next implements zk.HostProvider; retryStart makes the library pause.
func (s *zkServers) Next() (server string, retryStart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = (s.at + 1) % len(s.servers)
	retryStart = s.tried > 0 && s.tried%len(s.servers) == 0
	s.tried++
	return s.servers[s.at], retryStart
}

// Connected implements zk.HostProvider.
func (s *zkServers) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = 0
}

// dial is the library's dialer. It ends with z.life.
func (z *ZooKeeper) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(z.life, min(timeout, z.timeout))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		z.answers.note(address, err)
		return nil, err
	}
	z.answers.note(address, errors.New("it accepted the connection and has not answered yet"))
	c := &zkConn{Conn: conn, first: z.timeout, limit: z.session(), note: func(err error) { z.answers.note(address, err) }}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.current = c
	return c, nil
}

// zkConn is a connection with limits for reads and writes: the library waits for a silent server
// for seven times the session, and without limit for one that stops in the middle of a reply. It
// also checks the length of each frame, which the library would allocate.
type zkConn struct {
	net.Conn
	first time.Duration // for the first reply
	limit time.Duration // for each later one
	note  func(error)

	header [4]byte
	have   int // bytes of header
	left   int // unread bytes of the frame
	heard  bool
}

// Read implements net.Conn. The library reads from one goroutine at a time.
func (c *zkConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if e := c.check(p[:n]); e != nil {
		c.note(e)
		return 0, e
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.note(errors.New("it accepted the connection and does not answer"))
	case errors.Is(err, io.EOF):
		c.note(errors.New("it closed the connection: does it find a quorum, and is it ZooKeeper?"))
	case err != nil && !errors.Is(err, net.ErrClosed):
		c.note(err)
	}
	return n, err
}

// check follows the frames: a length and that many bytes each.
func (c *zkConn) check(p []byte) error {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(c.left, len(p))
			p, c.left = p[n:], c.left-n
			continue
		}
		n := copy(c.header[c.have:], p)
		p, c.have = p[n:], c.have+n
		if c.have < len(c.header) {
			continue
		}
		length := binary.BigEndian.Uint32(c.header[:])
		if length > maxZooKeeperFrame {
			return fmt.Errorf("its answer is not ZooKeeper's: it begins %q", c.header)
		}
		c.have, c.left = 0, int(length)
		if !c.heard {
			c.heard = true
			c.note(nil)
		}
	}
	return nil
}

// SetReadDeadline implements net.Conn. The library calls it before reading.
func (c *zkConn) SetReadDeadline(t time.Time) error {
	limit := c.limit
	if !c.heard {
		limit = c.first
	}
	return c.Conn.SetReadDeadline(earlier(t, limit))
}

// SetWriteDeadline implements net.Conn.
func (c *zkConn) SetWriteDeadline(t time.Time) error {
	return c.Conn.SetWriteDeadline(earlier(t, c.limit))
}

// earlier returns t, or the end of limit if that is earlier; zero is no deadline.
func earlier(t time.Time, limit time.Duration) time.Time {
	if latest := time.Now().Add(limit); t.IsZero() || t.After(latest) {
		return latest
	}
	return t
}
