package avrorpc

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxProtocolText = 64 << 10
	maxMeta         = 64
	maxMetaBytes    = 4 << 10
	maxName         = 256
)

// errProtocol means that the peer uses no protocol that this side has.
var errProtocol = errors.New("no protocol in common")

// match is the result of a handshake.
type match int64

const (
	matchBoth match = iota
	matchClient
	matchNone
)

// readHandshake finds the client's protocol among ours, by hash or by the name in its text. A text
// that differs only in its documentation has another hash; a protocol with different messages must
// have another name.
func readHandshake(r *Reader, ours []*Protocol) (*Protocol, match) {
	clientHash := fixed16(r)
	var text []byte
	if r.Enum(2) == 1 {
		text = r.Bytes(maxProtocolText)
	}
	serverHash := fixed16(r)
	if r.Enum(2) == 1 {
		skipMeta(r)
	}
	if r.Err() != nil {
		return nil, matchNone
	}
	guess := ours[0]
	for _, p := range ours {
		if p.Hash == serverHash {
			guess = p
		}
	}
	name := ""
	if text != nil {
		var err error
		if name, err = protocolName(text); err != nil {
			r.Fail("a protocol that is none")
			return nil, matchNone
		}
	}
	for _, p := range ours {
		if p.Hash != clientHash && p.Name != name {
			continue
		}
		if p.Hash == serverHash {
			return p, matchBoth
		}
		return p, matchClient
	}
	if text != nil {
		r.Fail(fmt.Sprintf("protocol %.60q, which is not served here: does its sender have another version?", name))
	}
	return guess, matchNone
}

func fixed16(r *Reader) (h Hash) {
	copy(h[:], r.Fixed(len(h)))
	return h
}

func skipMeta(r *Reader) {
	for items := r.Items(maxMeta); items.Next(); {
		r.Bytes(maxName)
		r.Bytes(maxMetaBytes)
	}
}

// appendHandshake appends the reply; it has the protocol's text if the client did not know it.
func appendHandshake(b []byte, p *Protocol, m match) []byte {
	b = AppendLong(b, int64(m))
	if m == matchBoth {
		return append(b, 0, 0, 0)
	}
	b = AppendBytes(append(b, 2), p.JSON)
	b = append(append(b, 2), p.Hash[:]...)
	return append(b, 0)
}

// appendRequestHandshake appends a client's handshake, with the text only if the server requested
// it.
func appendRequestHandshake(b []byte, p *Protocol, server Hash, text bool) []byte {
	b = append(b, p.Hash[:]...)
	if text {
		b = AppendBytes(append(b, 2), p.JSON)
	} else {
		b = append(b, 0)
	}
	b = append(b, server[:]...)
	return append(b, 2, 0) // metadata: present and empty, as Java sends it
}

// readHandshakeReply parses the reply; server is set to the hash of the server's protocol, and text
// is its text, if they are present.
func readHandshakeReply(r *Reader, server *Hash) (m match, text []byte) {
	m = match(r.Enum(3))
	if r.Enum(2) == 1 {
		text = r.Bytes(maxProtocolText)
	}
	if r.Enum(2) == 1 {
		*server = fixed16(r)
	}
	if r.Enum(2) == 1 {
		skipMeta(r)
	}
	return m, text
}

// named returns the protocol that has the name of a protocol's text, or nil.
func named(protocols []*Protocol, text []byte) *Protocol {
	name, err := protocolName(text)
	for _, p := range protocols {
		if err == nil && p.Name == name {
			return p
		}
	}
	return nil
}

// otherVersion returns an error if a server has another version of a protocol: one of the same
// namespace with another name.
func otherVersion(p *Protocol, text []byte) error {
	name, err := protocolName(text)
	ours, _, _ := strings.Cut(p.Name, ".")
	if theirs, _, found := strings.Cut(name, "."); err != nil || !found || theirs != ours || name == p.Name {
		return nil
	}
	return fmt.Errorf("%w: the other side uses %.60q, this one %q: upgrade the older of the two", errProtocol, name, p.Name)
}
