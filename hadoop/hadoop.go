// Package hadoop has what the clients of HBase and HDFS share: servers, the handshake of a
// connection, and the errors.
package hadoop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Server is a process of the cluster: a host and port, and its start time.
type Server struct {
	Host string
	Port int
	// StartCode is the start time of the process, in ms since 1970; 0 if it is not needed or not
	// known.
	StartCode uint64
}

// Address returns host:port.
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

var (
	// ErrNoAnswer is returned if the server closed a connection without sending anything. It is
	// also an ErrLost. HBase does so if it requires TLS and the client does not use it, and servers
	// of other protocols do.
	ErrNoAnswer = errors.New("the server closed the connection without an answer: is it HBase, and does it require TLS, a client certificate, or neither?")
	// ErrSettings is returned if client and server cannot work together before settings, tickets or
	// certificates are changed. Errors of a Handshake may be one.
	ErrSettings = errors.New("settings")
)

// RemoteError is an exception returned by a server.
type RemoteError struct {
	// Class is the Java class, such as org.apache.hadoop.hbase.NotServingRegionException.
	Class string
	// Message is the exception's text, with the stack trace if there is one.
	Message string
	// DoNotRetry and Overloaded are set by the server; never for an exception of one row or region.
	DoNotRetry, Overloaded bool
	// Moved is the new location of the region, if the exception has it.
	Moved *Server
}

func (e *RemoteError) Error() string {
	text, _, _ := strings.Cut(e.Message, "\n")
	text = strings.TrimPrefix(strings.TrimPrefix(text, e.Class), ": ")
	name := e.Class[strings.LastIndexByte(e.Class, '.')+1:]
	if text == "" {
		return name
	}
	return fmt.Sprintf("%s: %.300s", name, text)
}
