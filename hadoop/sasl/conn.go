package sasl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

const (
	// maxTokenBytes bounds a token of the server: HBase wraps a response as a whole, and package
	// rpc bounds responses to 256 MiB.
	maxTokenBytes = 256<<20 + 1<<10
	// keepBytes bounds the buffer that is kept for the next token.
	keepBytes = 4 << 20
)

// conn sends each write as tokens with a length (u32) before each. One reader and one writer may
// use it at the same time.
type conn struct {
	net.Conn
	context *Context

	token bytes.Buffer
	data  []byte // unwrapped and not yet read
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), c.context.MaxPlain())]
		token, err := c.context.Wrap(piece)
		if err != nil {
			return n, err
		}
		if _, err := c.Conn.Write(appendToken(nil, token)); err != nil {
			return n, err
		}
		n += len(piece)
		b = b[len(piece):]
	}
	return n, nil
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for len(c.data) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.data)
	c.data = c.data[n:]
	return n, nil
}

// next reads a token. The buffer grows with the bytes received, not with the length announced.
func (c *conn) next() error {
	var length [4]byte
	if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
		return err // a plain io.EOF between tokens
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxTokenBytes {
		return fmt.Errorf("%w: its length is given as %d bytes", errToken, n)
	}
	if c.token.Cap() > keepBytes {
		c.token = bytes.Buffer{}
	}
	c.token.Reset()
	if _, err := io.CopyN(&c.token, c.Conn, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read a token: %w", err)
	}
	data, err := c.context.Unwrap(c.token.Bytes())
	c.data = data
	return err
}

// appendToken appends a token with its length before it.
func appendToken(b, token []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(token))), token...)
}
