package rpc

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// Server is a process of the cluster: a host and port, and its start time.
type Server struct {
	Host string
	Port int
	// StartCode is the start of the process, in ms since 1970; 0 if it is not needed or not known.
	StartCode uint64
}

// Address is the address to dial.
func (s Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

func (s Server) String() string { return s.Address() }

// Handshake prepares a new connection: it sends the preamble (magic, version and its authentication
// byte) and does everything before the connection header, which the returned connection then
// carries, and every frame after it. Frames are written in pieces of up to writeBytes. It ends with
// ctx, whose deadline is also set on conn. On an error the caller closes conn.
//
// Authentication and TLS are implemented as handshakes. A server's rejection is a *RemoteError, if
// it sent a reason.
type Handshake func(ctx context.Context, conn net.Conn, server Server) (net.Conn, error)

// The authentication methods, as numbered by class AuthMethod.
const (
	AuthSimple   = 80
	AuthKerberos = 81
	AuthDigest   = 82
)

// Preamble returns the first bytes of a connection.
func Preamble(auth byte) []byte { return []byte{'H', 'B', 'a', 's', 0, auth} }

// Simple is the handshake of a cluster without security: the server trusts the user name in the
// connection header.
func Simple(_ context.Context, conn net.Conn, _ Server) (net.Conn, error) {
	if _, err := conn.Write(Preamble(AuthSimple)); err != nil {
		return nil, fmt.Errorf("send the preamble: %w", err)
	}
	return conn, nil
}
