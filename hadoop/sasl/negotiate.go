package sasl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"sluice/hadoop"
)

// Protection is the quality of protection of a connection, named as in hbase.rpc.protection.
type Protection string

// The protections; each includes the one before it.
const (
	Authentication Protection = "authentication"
	Integrity      Protection = "integrity"
	Privacy        Protection = "privacy"
)

// layers are the protections with their bits in the server's offer (RFC 4752, 3.3), strongest
// first.
var layers = []struct {
	protection Protection
	bit        byte
}{{Privacy, 4}, {Integrity, 2}, {Authentication, 1}}

const (
	// fallBack, in place of a length, is the server's request to continue without security.
	fallBack = -88
	// maxReplyBytes bounds each part of a reply during the handshake.
	maxReplyBytes = 64 << 10
)

// readReply reads a reply during the handshake: a status (i32, 0 is success), and a token with its
// length before it; or the class and the text of an exception.
func readReply(r io.Reader) ([]byte, error) {
	status, err := readInt32(r)
	if err != nil {
		if ended(err) {
			return nil, hadoop.ErrNoAnswer
		}
		return nil, err
	}
	if status != 0 {
		class, err := readPart(r)
		if err != nil {
			return nil, fmt.Errorf("the server does not support SASL: %w", err)
		}
		text, err := readPart(r)
		if err != nil {
			return nil, fmt.Errorf("the server does not support SASL: %w", err)
		}
		return nil, &hadoop.RemoteError{Class: string(class), Message: string(text)}
	}
	return readPart(r)
}

// ended reports whether the server closed the connection.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func readPart(r io.Reader) ([]byte, error) {
	n, err := readInt32(r)
	switch {
	case err != nil:
		return nil, err
	case n == fallBack:
		return nil, fmt.Errorf("%w, and Kerberos is configured: leave out the Kerberos settings, or set hbase.security.authentication to kerberos in the server's hbase-site.xml", ErrNoSecurity)
	case n < 0 || n > maxReplyBytes:
		return nil, fmt.Errorf("a part of the server's answer is given as %d bytes long", n)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return b, err
}

func readInt32(r io.Reader) (int32, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return int32(binary.BigEndian.Uint32(b[:])), err
}

// agree answers the server's offer and returns the connection for everything after it.
func agree(raw net.Conn, c *Context, offer []byte) (net.Conn, error) {
	answer, err := c.Agree(offer)
	if err != nil {
		return nil, err
	}
	if _, err := raw.Write(appendToken(nil, answer)); err != nil {
		return nil, fmt.Errorf("answer the server's offer: %w", err)
	}
	if c.agreed == Authentication {
		return raw, nil
	}
	return &conn{Conn: raw, context: c}, nil
}

// choose returns the first protection of accept that is offered; without accept, the strongest.
// setting is the name of the server's setting, for the error if there is none.
func choose(offered byte, accept []Protection, setting string) (Protection, byte, error) {
	var names []string
	bits := map[Protection]byte{}
	for _, l := range layers {
		if offered&l.bit != 0 {
			names = append(names, string(l.protection))
			bits[l.protection] = l.bit
			if len(accept) == 0 {
				return l.protection, l.bit, nil
			}
		}
	}
	for _, p := range accept {
		if bits[p] != 0 {
			return p, bits[p], nil
		}
	}
	return "", 0, fmt.Errorf("%w: the server's %s is %q, ours %v: allow one of the server's", ErrProtection, setting, strings.Join(names, ","), accept)
}
