package avrorpc

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// errPlain means that a connection does not use TLS although it must.
var errPlain = errors.New("the connection is not secured by TLS")

// Layers has an Upgrade for Server: it examines a connection's first byte and removes TLS and zlib,
// each at most once, in either order. In Flume up to 1.9 TLS is the outer layer, in later versions
// zlib.
type Layers struct {
	TLS *tls.Config // nil: TLS is not accepted; otherwise it is required
	// Rejected, if not nil, is called for TLS handshakes that failed, concurrently.
	Rejected func(peer netip.AddrPort, err error)
}

const (
	tlsFirst  = 0x16 // a handshake record
	zlibFirst = 0x78 // deflate with a window of 32 KiB
)

// Upgrade implements Server.Upgrade. A frame begins with neither byte, because the serials of
// senders count from zero.
func (l Layers) Upgrade(ctx context.Context, conn net.Conn) (net.Conn, error) {
	secured, deflated := false, false
	for {
		p, err := peek(conn)
		if err != nil {
			return nil, err
		}
		switch {
		case p.first[0] == tlsFirst && l.TLS != nil && !secured:
			t := tls.Server(p, l.TLS)
			if err := t.HandshakeContext(ctx); err != nil {
				if l.Rejected != nil {
					l.Rejected(addressOf(conn), err)
				}
				return nil, fmt.Errorf("TLS handshake: %w", err)
			}
			conn, secured = t, true
		case p.first[0] == zlibFirst && !deflated:
			conn, deflated = Deflate(p), true
		case l.TLS != nil && !secured:
			return nil, errPlain
		default:
			return p, nil
		}
	}
}

// peeked is a connection whose first byte was read. It has no buffer, so that a silent connection
// needs none; every layer above has its own.
type peeked struct {
	net.Conn
	first   [1]byte
	pending bool // first was not returned yet; one goroutine reads
}

// peek waits for a connection's first byte.
func peek(conn net.Conn) (*peeked, error) {
	p := &peeked{Conn: conn, pending: true}
	_, err := io.ReadFull(conn, p.first[:])
	return p, err
}

func (p *peeked) Read(b []byte) (int, error) {
	if !p.pending || len(b) == 0 {
		return p.Conn.Read(b)
	}
	p.pending = false
	return copy(b, p.first[:]), nil
}

// NetConn returns the underlying connection.
func (p *peeked) NetConn() net.Conn { return p.Conn }

// Deflate returns a connection that is compressed by zlib in both directions, each write flushed,
// as with Flume's compression-type deflate.
func Deflate(conn net.Conn) net.Conn {
	return &deflated{Conn: conn, out: zlib.NewWriter(conn)}
}

type deflated struct {
	net.Conn
	in   io.Reader // nil before the first byte
	raw  int64     // bytes that in has read from Conn
	read int64     // bytes that were read from in
	mu   sync.Mutex
	out  *zlib.Writer
}

// NetConn returns the underlying connection.
func (d *deflated) NetConn() net.Conn { return d.Conn }

// maxIdleDeflated limits compressed bytes beyond twice the decompressed ones. Deflate enlarges a
// text by at most a thousandth, and a flush adds five bytes; more than that are empty blocks, which
// only cost time.
const maxIdleDeflated = 256 << 10

func (d *deflated) Read(b []byte) (int, error) {
	if d.in == nil {
		in, err := zlib.NewReader(bufio.NewReaderSize(compressed{d}, ownBytes))
		if err != nil {
			return 0, err
		}
		d.in = in
	}
	n, err := d.in.Read(b)
	d.read += int64(n)
	return n, err
}

// compressed reads the compressed bytes, and fails if they decompress to too little.
type compressed struct{ *deflated }

func (c compressed) Read(b []byte) (int, error) {
	if c.raw > 2*c.read+maxIdleDeflated {
		return 0, fmt.Errorf("%w: %d compressed bytes that claim to be %d", errLimit, c.raw, c.read)
	}
	n, err := c.Conn.Read(b)
	c.raw += int64(n)
	return n, err
}

func (d *deflated) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.out.Write(b)
	if err == nil {
		err = d.out.Flush()
	}
	return n, err
}
