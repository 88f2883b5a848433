package rpc

import (
	"context"
	"fmt"
	"net"

	"sluice/hadoop"
)

// Server is a server of HBase.
type Server = hadoop.Server

// Handshake makes a new connection ready for requests.
type Handshake = hadoop.Handshake

// The authentication methods, as numbered by class AuthMethod.
const (
	authSimple   = 80
	AuthKerberos = 81
)

// Preamble returns the first bytes of a connection.
func Preamble(auth byte) []byte { return []byte{'H', 'B', 'a', 's', 0, auth} }

// Simple is the handshake of a cluster without security: the server trusts the user name in the
// connection header.
func Simple(_ context.Context, conn net.Conn, _ Server) (net.Conn, error) {
	if _, err := conn.Write(Preamble(authSimple)); err != nil {
		return nil, fmt.Errorf("send the preamble: %w", err)
	}
	return conn, nil
}
