package protection

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"sluice/hadoop/protobuf"
	"sluice/hadoop/sasl"
)

// A request begins with the version (i16) and an operation; then comes a message
// whose first field is the header (datatransfer.proto).
const (
	requestBytes  = 3
	opReadBlock   = 0x51
	opWriteBlock  = 0x50
	opBlockSum    = 0x55
	startOfSASL   = 0xdeadbeef
	digestService = "hdfs/0"
)

// privilegedPorts are ports that only root can listen on; a data node there is trusted without a
// log-in (class SaslDataTransferClient).
const privilegedPorts = 1024

// DataNode returns a connection for a client that does no log-in at data nodes. The log-in is done
// at the first Write, which must have a whole request, with the request's block token, or with key
// if that is not nil. The protection is the first of accept that is offered; without accept, the
// strongest. failed, if not nil, is called with the error of a log-in.
func DataNode(raw net.Conn, accept []sasl.Protection, key *DataKey, failed func(error)) net.Conn {
	if address, ok := raw.RemoteAddr().(*net.TCPAddr); ok && address.Port < privilegedPorts && key == nil {
		return raw
	}
	if key != nil {
		accept = []sasl.Protection{sasl.Privacy}
	}
	return &dataNode{Conn: raw, accept: accept, key: key, failed: failed}
}

// dataNode is a connection whose log-in waits for the first request.
type dataNode struct {
	net.Conn // the dialled connection
	accept   []sasl.Protection
	key      *DataKey
	failed   func(error)

	once sync.Once
	made net.Conn
	err  error
}

// RemoteAddr returns a privileged port, so that colinmarc/hdfs does no log-in of its own if data
// nodes require a DataKey.
func (c *dataNode) RemoteAddr() net.Addr {
	if address, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok {
		return &net.TCPAddr{IP: address.IP, Zone: address.Zone, Port: privilegedPorts - 1}
	}
	return c.Conn.RemoteAddr()
}

// Write implements net.Conn.
func (c *dataNode) Write(b []byte) (int, error) {
	c.once.Do(func() {
		if c.made, c.err = c.logIn(b); c.err != nil {
			c.err = fmt.Errorf("log in at data node %s: %w", c.Conn.RemoteAddr(), c.err)
			if c.failed != nil {
				c.failed(c.err)
			}
		}
	})
	if c.err != nil {
		return 0, c.err
	}
	return c.made.Write(b)
}

var errNoRequest = errors.New("nothing was asked yet")

// Read implements net.Conn.
func (c *dataNode) Read(b []byte) (int, error) {
	c.once.Do(func() { c.err = errNoRequest })
	if c.err != nil {
		return 0, c.err
	}
	return c.made.Read(b)
}

// logIn does the handshake for a request.
func (c *dataNode) logIn(request []byte) (net.Conn, error) {
	if c.key != nil {
		return handshake(c.Conn, newDigest(c.key.user, c.key.password, digestService), c.accept)
	}
	identifier, password, err := blockToken(request)
	if err != nil {
		return nil, err
	}
	base64 := base64.StdEncoding.EncodeToString
	return handshake(c.Conn, newDigest(base64(identifier), base64(password), digestService), c.accept)
}

// handshake returns the connection for requests.
func handshake(raw net.Conn, d *digest, accept []sasl.Protection) (net.Conn, error) {
	start := binary.BigEndian.AppendUint32(nil, startOfSASL)
	if _, err := raw.Write(appendHandshake(start, nil, false)); err != nil {
		return nil, err
	}
	challenge, _, err := readHandshake(raw)
	if err != nil {
		return nil, err
	}
	answer, err := d.answer(string(challenge), accept)
	if err != nil {
		return nil, err
	}
	if _, err := raw.Write(appendHandshake(nil, []byte(answer), d.agreed == sasl.Privacy)); err != nil {
		return nil, err
	}
	proof, option, err := readHandshake(raw)
	if err != nil {
		return nil, err
	}
	if err := d.verify(string(proof)); err != nil {
		return nil, err
	}
	if d.agreed == sasl.Authentication {
		return raw, nil
	}
	made, err := newWrapped(raw, d.session(), d.agreed == sasl.Privacy)
	if err != nil || option == nil {
		return made, err
	}
	return newStreams(made, option)
}

// blockToken finds the token in a request.
func blockToken(request []byte) (identifier, password []byte, err error) {
	if len(request) < requestBytes {
		return nil, nil, fmt.Errorf("a request of %d bytes", len(request))
	}
	path := []int{1, 2} // header, token
	switch op := request[2]; op {
	case opReadBlock, opWriteBlock:
		path = []int{1, 1, 2} // the header has a header
	case opBlockSum:
	default:
		return nil, nil, fmt.Errorf("operation %#x is not known to have a block's token", op)
	}
	message, _, err := protobuf.CutDelimited(request[requestBytes:])
	if err != nil {
		return nil, nil, err
	}
	for _, number := range path {
		if message, err = field(message, number); err != nil {
			return nil, nil, err
		}
	}
	if identifier, err = field(message, 1); err != nil {
		return nil, nil, err
	}
	if password, err = field(message, 2); err != nil {
		return nil, nil, err
	}
	if len(identifier) == 0 {
		return nil, nil, fmt.Errorf("%w: the name node gives no tokens for blocks: set dfs.block.access.token.enable", sasl.ErrNoSecurity)
	}
	return identifier, password, nil
}

// field returns a field of bytes of a message.
func field(message []byte, number int) (value []byte, err error) {
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number == number {
			value = f.Bytes
		}
	}
	return value, f.Err
}

// appendHandshake appends a DataTransferEncryptorMessageProto with its length before it; aes offers
// AES.
func appendHandshake(dst, payload []byte, aes bool) []byte {
	message := protobuf.AppendUint(nil, 1, 0) // success
	if payload != nil {
		message = protobuf.AppendBytes(message, 2, payload)
	}
	if aes {
		message = protobuf.AppendBytes(message, 4, protobuf.AppendUint(nil, 1, suiteAES))
	}
	return protobuf.AppendDelimited(dst, message)
}

// readHandshake reads such a message. option is the chosen cipher, nil for none.
func readHandshake(r io.Reader) (payload, option []byte, err error) {
	message, err := readDelimited(r)
	if err != nil {
		return nil, nil, err
	}
	var status uint64
	var text string
	f := protobuf.Read(message)
	for f.Next() {
		switch f.Number {
		case 1:
			status = f.Uint
		case 2:
			payload = f.Bytes
		case 3:
			text = string(f.Bytes)
		case 4:
			option = f.Bytes
		}
	}
	if f.Err == nil && status != 0 {
		return nil, nil, fmt.Errorf("it rejected the block's token: status %d: %s", status, text)
	}
	return payload, option, f.Err
}

// readDelimited reads a message with its length before it, and no byte more.
func readDelimited(r io.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(byteReader{r})
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("it closed the connection without a reason, see its log: %w", io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	if n > maxHandshakeBytes {
		return nil, fmt.Errorf("an answer's length is given as %d bytes", n)
	}
	message := make([]byte, n)
	_, err = io.ReadFull(r, message)
	return message, err
}

// byteReader reads one byte at a time.
type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.Reader, b[:])
	return b[0], err
}
