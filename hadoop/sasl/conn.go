package sasl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

const (
	// maxTokenBytes bounds a token of the server's: HBase wraps an answer as a
	// whole, and rpc bounds that by 256 MiB.
	maxTokenBytes = 256<<20 + 1<<10
	// keepBytes is how large a buffer may be that is kept for the next token.
	keepBytes = 4 << 20
)

// conn carries each write as tokens, each behind its length (u32). Reading and
// writing may go on at the same time, neither of them twice.
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

// next reads a token. The buffer grows as bytes come, not as their number is promised.
func (c *conn) next() error {
	var length [4]byte
	if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
		return err // a plain io.EOF between tokens
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxTokenBytes {
		return fmt.Errorf("%w: it is to have %d bytes", errToken, n)
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

// appendToken appends a token behind its length.
func appendToken(b, token []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(token))), token...)
}
