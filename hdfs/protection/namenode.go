package protection

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"sluice/hadoop"
	"sluice/hadoop/protobuf"
	"sluice/hadoop/sasl"
)

// A connection begins with "hrpc", the version, the service class and the authentication protocol
// (RpcHeader.proto; class Server of hadoop-common).
const (
	preambleBytes = 7
	authSASL      = 0xdf
)

// The states of an RpcSaslProto.
const (
	stateSuccess = iota
	stateNegotiate
	stateInitiate
	stateChallenge
	stateResponse
	stateWrap
)

const (
	// callSASL is the call number of packets with SASL messages.
	callSASL = -33
	// maxPacketBytes is ipc.maximum.response.length.
	maxPacketBytes = 128 << 20
	// maxHandshakeBytes bounds a packet during the handshake.
	maxHandshakeBytes = 64 << 10
	// keepBytes bounds the buffer that is kept for the next packet.
	keepBytes = 4 << 20
)

// ErrSettings is returned if a connection cannot succeed before settings or tickets are changed.
var ErrSettings = hadoop.ErrSettings

// NameNode logs in at a name node on the new connection raw, and returns a connection for a client
// that logs in as SIMPLE. host is the name that was dialled. Errors that waiting cannot repair are
// ErrSettings.
func NameNode(ctx context.Context, raw net.Conn, host string, kerberos *sasl.Kerberos) (net.Conn, error) {
	if _, err := raw.Write([]byte{'h', 'r', 'p', 'c', 9, 0, authSASL}); err != nil {
		return nil, fmt.Errorf("send the first bytes to the name node: %w", err)
	}
	offered, err := ask(raw, stateNegotiate, nil, nil)
	if err != nil {
		return nil, err
	}
	auth := offered.kerberos()
	if auth == nil {
		return nil, fmt.Errorf("%w: hadoop.security.authentication is kerberos in our core-site.xml and not in the name node's", sasl.ErrNoSecurity)
	}
	agreement, token, err := kerberos.Begin(ctx, host)
	if err != nil {
		return nil, err
	}
	challenge, err := ask(raw, stateInitiate, token, auth)
	if err != nil {
		return nil, err
	}
	if challenge.state != stateChallenge {
		return nil, fmt.Errorf("the name node answered the ticket with state %d", challenge.state)
	}
	answer, err := agreement.Agree(challenge.token)
	if err != nil {
		return nil, err
	}
	done, err := ask(raw, stateResponse, answer, nil)
	if err != nil {
		return nil, err
	}
	if done.state != stateSuccess {
		return nil, fmt.Errorf("the name node ended the log-in with state %d", done.state)
	}
	return &nameNode{Conn: raw, context: agreement, preamble: preambleBytes}, nil
}

// saslMessage is an RpcSaslProto.
type saslMessage struct {
	state uint64
	token []byte
	auths [][]byte
}

func readSASL(b []byte) (m saslMessage, err error) {
	f := protobuf.Read(b)
	for f.Next() {
		switch f.Number {
		case 2:
			m.state = f.Uint
		case 3:
			m.token = f.Bytes
		case 4:
			m.auths = append(m.auths, f.Bytes)
		}
	}
	return m, f.Err
}

// kerberos is the server's offer of Kerberos, nil for none.
func (m saslMessage) kerberos() []byte {
	for _, auth := range m.auths {
		for f := protobuf.Read(auth); f.Next(); {
			if f.Number == 1 && string(f.Bytes) == "KERBEROS" {
				return auth
			}
		}
	}
	return nil
}

// appendSASL appends a packet with an RpcSaslProto.
func appendSASL(dst []byte, state uint64, token, auth []byte) []byte {
	message := protobuf.AppendUint(nil, 2, state)
	if token != nil {
		message = protobuf.AppendBytes(message, 3, token)
	}
	if auth != nil {
		message = protobuf.AppendBytes(message, 4, auth)
	}
	return appendPacket(dst, callSASL, "", message)
}

// appendPacket appends a packet of a call: its length, an RpcRequestHeaderProto, and the call's
// messages. A log-in has no client id.
func appendPacket(dst []byte, call int32, clientID string, messages ...[]byte) []byte {
	header := protobuf.AppendUint(nil, 1, 2)   // protocol buffers
	header = protobuf.AppendUint(header, 2, 0) // a final packet
	header = protobuf.AppendUint(header, 3, uint64(uint32(call<<1^call>>31)))
	header = protobuf.AppendBytes(header, 4, clientID)
	packet := protobuf.AppendDelimited(nil, header)
	for _, message := range messages {
		packet = protobuf.AppendDelimited(packet, message)
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(packet))), packet...)
}

// ask does one step of the handshake.
func ask(raw net.Conn, state uint64, token, auth []byte) (saslMessage, error) {
	if _, err := raw.Write(appendSASL(nil, state, token, auth)); err != nil {
		return saslMessage{}, fmt.Errorf("log in at the name node: %w", err)
	}
	var packet bytes.Buffer
	m, err := readAnswer(raw, &packet, maxHandshakeBytes)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		err = fmt.Errorf("log in at the name node: it closed the connection: %w", err)
	}
	return m, err
}

// readAnswer reads a packet with a SASL message into buffer; the message is a part of it.
func readAnswer(r io.Reader, buffer *bytes.Buffer, maxBytes uint32) (m saslMessage, err error) {
	message, err := readPacket(r, buffer, maxBytes, callSASL)
	if err != nil {
		return m, err
	}
	return readSASL(message)
}

// readPacket reads the reply to a call into buffer; the message is a part of it. The buffer grows
// with the bytes received, not with the length announced.
func readPacket(r io.Reader, buffer *bytes.Buffer, maxBytes uint32, call int32) (message []byte, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxBytes {
		return nil, fmt.Errorf("the length of the name node's answer is given as %d bytes", n)
	}
	if buffer.Cap() > keepBytes {
		*buffer = bytes.Buffer{}
	}
	buffer.Reset()
	if _, err := io.CopyN(buffer, r, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	header, rest, err := protobuf.CutDelimited(buffer.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the name node's answer: %w", err)
	}
	if err := answerError(header, call); err != nil {
		return nil, err
	}
	if message, _, err = protobuf.CutDelimited(rest); err != nil {
		return nil, fmt.Errorf("the name node's answer: %w", err)
	}
	return message, nil
}

// answerError parses an RpcResponseHeaderProto. It returns an error if it is of another call, or a
// failure.
func answerError(header []byte, want int32) error {
	var call, status uint64
	var class, text string
	f := protobuf.Read(header)
	for f.Next() {
		switch f.Number {
		case 1:
			call = f.Uint
		case 2:
			status = f.Uint
		case 4:
			class = string(f.Bytes)
		case 5:
			text = string(f.Bytes)
		}
	}
	if f.Err != nil {
		return fmt.Errorf("the name node's answer: %w", f.Err)
	}
	if status != 0 {
		return &refusal{class, text}
	}
	if uint32(call) != uint32(want) {
		return fmt.Errorf("the name node answered call %d, not %d", int32(call), want)
	}
	return nil
}

// refusal is an exception of a name node, usually of the log-in.
type refusal struct{ class, text string }

func (r *refusal) Error() string {
	text, _, _ := strings.Cut(r.text, "\n")
	text = fmt.Sprintf("the name node rejected the log-in (%s: %s)", r.class, text)
	if r.Is(ErrSettings) {
		text += ": dfs.namenode.kerberos.principal must be who it is, and the clocks must agree"
	}
	return text
}

// Is reports a failed log-in as an ErrSettings, except for a replay: two tickets of this process
// had the same microsecond.
func (r *refusal) Is(target error) bool {
	return target == ErrSettings && !strings.Contains(r.text, "replay") &&
		(strings.HasSuffix(r.class, ".SaslException") || strings.HasSuffix(r.class, ".AccessControlException"))
}

// nameNode carries the packets of a client after the log-in.
type nameNode struct {
	net.Conn
	context *sasl.Context

	writing  sync.Mutex
	preamble int // bytes of the client's own handshake that are still expected, and dropped

	reading sync.Mutex
	packet  bytes.Buffer
	data    []byte // unwrapped and not yet read
}

// Write implements net.Conn.
func (c *nameNode) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n = min(c.preamble, len(b))
	c.preamble -= n
	if c.context.Agreed() == sasl.Authentication {
		if n == len(b) {
			return n, nil
		}
		written, err := c.Conn.Write(b[n:])
		return n + written, err
	}
	for n < len(b) {
		piece := b[n:min(len(b), n+c.context.MaxPlain())]
		token, err := c.context.Wrap(piece)
		if err != nil {
			return n, err
		}
		if _, err := c.Conn.Write(appendSASL(nil, stateWrap, token, nil)); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

// Read implements net.Conn.
func (c *nameNode) Read(b []byte) (int, error) {
	if c.context.Agreed() == sasl.Authentication {
		return c.Conn.Read(b)
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	for len(c.data) == 0 {
		m, err := readAnswer(c.Conn, &c.packet, maxPacketBytes)
		if err != nil {
			return 0, err
		}
		if m.state != stateWrap {
			return 0, fmt.Errorf("the name node's answer has state %d and is not wrapped", m.state)
		}
		if c.data, err = c.context.Unwrap(m.token); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.data)
	c.data = c.data[n:]
	return n, nil
}
