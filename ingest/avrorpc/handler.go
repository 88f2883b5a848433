package avrorpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"time"
)

// Peer is the other end of a connection.
type Peer struct {
	Address netip.AddrPort
	// Names are those of the verified certificate: its DNS names, or its common name if it has
	// none; empty without a certificate.
	Names []string
	TLS   bool
	// Issued and Expires limit the validity of the verified certificate; zero without one.
	Issued, Expires time.Time
}

func peerOf(conn net.Conn) Peer {
	p := Peer{Address: addressOf(conn)}
	for conn != nil {
		if t, ok := conn.(*tls.Conn); ok {
			state := t.ConnectionState()
			p.TLS = true
			if len(state.VerifiedChains) > 0 {
				p.Names = namesOf(state.VerifiedChains[0][0])
				p.Issued, p.Expires = state.VerifiedChains[0][0].NotBefore, state.VerifiedChains[0][0].NotAfter
			}
			return p
		}
		layer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return p
		}
		conn = layer.NetConn()
	}
	return p
}

func addressOf(conn net.Conn) netip.AddrPort {
	a, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // a pipe has no such address
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func namesOf(c *x509.Certificate) []string {
	if len(c.DNSNames) == 0 && c.Subject.CommonName != "" {
		return []string{c.Subject.CommonName}
	}
	return c.DNSNames
}

// Call is a request. It belongs to the server again when Begin has returned.
type Call struct {
	Peer    *Peer
	Message string // its name in the protocol
	// Params are the parameters as received, a part of the frame.
	Params []byte
	// Idle is set by Begin if the call had no content that was accepted. Such calls, calls that are
	// answered with an error, and pings are answered at a limited rate.
	Idle bool

	frame       *frame // nil when it was begun
	serial      int32
	handshake   match // if the call had one
	isHandshake bool
	finisher    Finisher
	err         error
	reply       []byte
}

// Session answers the calls of one connection.
type Session interface {
	// Begin is called for one call after another, in the order of their arrival. While it blocks no
	// other call is begun, and when Limits.InFlight calls wait nothing more is read; pings are
	// answered until then. An error is sent as the reply; one that wraps ErrHangUp ends the
	// connection instead.
	Begin(ctx context.Context, c *Call) (Finisher, error)
	// Close is called once, after every call has finished.
	Close()
}

// Finisher is the rest of a call that was begun.
type Finisher interface {
	// Finish appends the message's result to reply, in Avro's encoding. It may block, concurrently
	// with others of the same connection. An error is sent as the error union's string. ctx ends
	// Limits.Drain after the server's.
	Finish(ctx context.Context, reply []byte) ([]byte, error)
}

// FinishFunc is a Finisher.
type FinishFunc func(ctx context.Context, reply []byte) ([]byte, error)

// Finish calls f.
func (f FinishFunc) Finish(ctx context.Context, reply []byte) ([]byte, error) { return f(ctx, reply) }

// Service is a protocol with its implementation.
type Service struct {
	Protocol *Protocol
	// Open is called when a connection's handshake has named the protocol.
	Open func(ctx context.Context, peer Peer) (Session, error)
}
