package rpc

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// Server is a process of the cluster: a host and port, and when it was started.
type Server struct {
	Host string
	Port int
	// StartCode is when the process was started, in ms since 1970; 0 where it does
	// not matter or is not known.
	StartCode uint64
}

// Address is what is dialled.
func (s Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

func (s Server) String() string { return s.Address() }

// Handshake makes a new connection fit to speak on: it sends the preamble (magic,
// version and its own byte of authentication) and does all that must come before
// the connection header, which the returned connection then carries, and every
// frame after it. Frames are written in pieces of up to writeBytes. It ends with
// ctx, whose deadline is also set on conn. On an error conn is closed by whoever
// called.
//
// Authentication and TLS plug in here. A server's refusal is a *RemoteError, where
// it said why.
type Handshake func(ctx context.Context, conn net.Conn, server Server) (net.Conn, error)

// The methods of authentication, as class AuthMethod numbers them.
const (
	AuthSimple   = 80
	AuthKerberos = 81
	AuthDigest   = 82
)

// Preamble begins a connection.
func Preamble(auth byte) []byte { return []byte{'H', 'B', 'a', 's', 0, auth} }

// Simple is the handshake of a cluster without security: the server believes the
// user's name in the connection header.
func Simple(_ context.Context, conn net.Conn, _ Server) (net.Conn, error) {
	if _, err := conn.Write(Preamble(AuthSimple)); err != nil {
		return nil, fmt.Errorf("send the preamble: %w", err)
	}
	return conn, nil
}
