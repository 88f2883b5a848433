package protection

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"sync"
)

// A message is data, the first ten bytes of an HMAC of its number and the data, 00 01,
// and its number (u32) (RFC 2831, 2.3); at privacy data and HMAC are encrypted (2.4).
const (
	macBytes     = 10
	trailerBytes = macBytes + 2 + 4
	// maxOurPlainBytes bounds a message that is sent: RFC 2831's default for a server that does not
	// send its maximum.
	maxOurPlainBytes = 64<<10 - trailerBytes
	// maxMessageBytes bounds a message of a data node: a packet of io.file.buffer.size.
	maxMessageBytes = 16 << 20
)

// Constants that are hashed with the session for each key (RFC 2831, 2.3 and 2.4).
const (
	signsToServer = "Digest session key to client-to-server signing key magic constant"
	signsToClient = "Digest session key to server-to-client signing key magic constant"
	sealsToServer = "Digest H(A1) to client-to-server sealing key magic constant"
	sealsToClient = "Digest H(A1) to server-to-client sealing key magic constant"
)

// half is one direction of a protected connection.
type half struct {
	mac    hash.Hash
	cipher *rc4.Cipher // nil: integrity
	number uint32
}

func newHalf(session []byte, signing, sealing string, seal bool) (*half, error) {
	h := &half{mac: hmac.New(md5.New, sum(string(session)+signing))}
	var err error
	if seal {
		h.cipher, err = rc4.NewCipher(sum(string(session) + sealing))
	}
	return h, err
}

func (h *half) sign(data []byte) []byte {
	h.mac.Reset()
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], h.number)
	h.mac.Write(number[:])
	h.mac.Write(data)
	return h.mac.Sum(nil)[:macBytes]
}

// wrap appends the next message.
func (h *half) wrap(dst, data []byte) []byte {
	begin := len(dst)
	dst = append(append(dst, data...), h.sign(data)...)
	if h.cipher != nil {
		h.cipher.XORKeyStream(dst[begin:], dst[begin:])
	}
	dst = binary.BigEndian.AppendUint32(append(dst, 0, 1), h.number)
	h.number++
	return dst
}

var errMessage = errors.New("the data node's message does not have the negotiated protection")

// unwrap returns the data of the next message, as a part of it.
func (h *half) unwrap(message []byte) ([]byte, error) {
	if len(message) < trailerBytes {
		return nil, fmt.Errorf("%w: it has %d bytes", errMessage, len(message))
	}
	sealed, trailer := message[:len(message)-6], message[len(message)-6:]
	if number := binary.BigEndian.Uint32(trailer[2:]); trailer[0] != 0 || trailer[1] != 1 || number != h.number {
		return nil, fmt.Errorf("%w: its sequence number is %d, expected %d: a message was lost, repeated or inserted", errMessage, number, h.number)
	}
	if h.cipher != nil {
		h.cipher.XORKeyStream(sealed, sealed)
	}
	data, mac := sealed[:len(sealed)-macBytes], sealed[len(sealed)-macBytes:]
	if !hmac.Equal(mac, h.sign(data)) {
		return nil, fmt.Errorf("%w: its checksum is wrong", errMessage)
	}
	h.number++
	return data, nil
}

// wrapped sends each write as messages with a length (u32) before each.
type wrapped struct {
	net.Conn

	writing sync.Mutex
	out     *half
	sent    []byte

	reading  sync.Mutex
	in       *half
	received bytes.Buffer
	data     []byte // unwrapped and not yet read
}

func newWrapped(raw net.Conn, session []byte, seal bool) (*wrapped, error) {
	out, err := newHalf(session, signsToServer, sealsToServer, seal)
	if err != nil {
		return nil, err
	}
	in, err := newHalf(session, signsToClient, sealsToClient, seal)
	return &wrapped{Conn: raw, out: out, in: in}, err
}

// Write implements net.Conn.
func (c *wrapped) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for len(b) > 0 {
		piece := b[:min(len(b), maxOurPlainBytes)]
		c.sent = binary.BigEndian.AppendUint32(c.sent[:0], uint32(len(piece)+trailerBytes))
		c.sent = c.out.wrap(c.sent, piece)
		if _, err := c.Conn.Write(c.sent); err != nil {
			return n, err
		}
		n += len(piece)
		b = b[len(piece):]
	}
	return n, nil
}

// Read implements net.Conn.
func (c *wrapped) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for len(c.data) == 0 && len(b) > 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.data)
	c.data = c.data[n:]
	return n, nil
}

// next reads a message. The buffer grows with the bytes received, not with the length announced.
func (c *wrapped) next() error {
	var length [4]byte
	if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
		return err // a plain io.EOF between messages
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxMessageBytes {
		return fmt.Errorf("%w: its length is given as %d bytes", errMessage, n)
	}
	c.received.Reset()
	if _, err := io.CopyN(&c.received, c.Conn, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	data, err := c.in.unwrap(c.received.Bytes())
	c.data = data
	return err
}
