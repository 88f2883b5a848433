package sasl

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/etype"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A token is a header of 16 bytes and what it protects (RFC 4121, 4.2.6.2):
//
//	05 04 | flags | ff | extra count (2) | rotation (2) | sequence number (8)
//
// Signed: data, then a checksum of data and header, whose length is the extra count. Sealed: data,
// as many bytes of filler as the extra count, and the header again, all encrypted with a confounder
// before and a MAC after. What follows the header may be rotated to the right. The checksum covers
// a header with both counts 0; the sealed copy has the extra count and rotation 0.
const (
	tokenHeaderBytes = 16

	flagAcceptor       = 1
	flagSealed         = 2
	flagAcceptorSubkey = 4
)

// Key usages (RFC 4121, 2), for signed and sealed tokens.
const (
	usageAcceptor  = 22
	usageInitiator = 24
)

// aesSHA1 are the supported encryption types, by their numbers (RFC 3962). Older types than AES
// have other tokens (RFC 1964, RFC 4757).
var aesSHA1 = []int32{17, 18}

// secrets is one side of a security context: a key, and the sequence numbers of both directions.
// One sender and one receiver may use it at the same time.
type secrets struct {
	cipher   etype.EType
	key      []byte
	acceptor bool // this side is the acceptor, otherwise the initiator
	sent     uint64
	received uint64
	counted  bool // received is set: the peer chooses its first number
}

// newSecrets starts a context. The first token that is sent has the number of the authenticator.
func newSecrets(key types.EncryptionKey, first uint64, acceptor bool) (*secrets, error) {
	if !slices.Contains(aesSHA1, key.KeyType) {
		return nil, fmt.Errorf("the KDC gave a key of encryption type %d; only AES with SHA-1 (17, 18) is supported: allow aes256-cts-hmac-sha1-96 in krb5.conf and in the KDC", key.KeyType)
	}
	c, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, fmt.Errorf("encryption type %d: %w", key.KeyType, err)
	}
	return &secrets{cipher: c, key: key.KeyValue, acceptor: acceptor, sent: first}, nil
}

// maxOverhead is the maximum number of bytes that a token is longer than its data: header,
// confounder, the header again, MAC.
func (s *secrets) maxOverhead() int {
	return 2*tokenHeaderBytes + s.cipher.GetConfounderByteSize() + s.macBytes()
}

func (s *secrets) macBytes() int { return s.cipher.GetHMACBitLength() / 8 }

// wrap makes the next token of data. It does not keep data.
func (s *secrets) wrap(data []byte, seal bool) ([]byte, error) {
	header := make([]byte, tokenHeaderBytes, len(data)+s.maxOverhead())
	header[0], header[1], header[3] = 5, 4, 0xff
	usage := uint32(usageInitiator)
	if s.acceptor {
		header[2] |= flagAcceptor
		usage = usageAcceptor
	}
	if seal {
		header[2] |= flagSealed
	}
	binary.BigEndian.PutUint64(header[8:], s.sent)
	s.sent++
	plain := slices.Concat(data, header)
	if seal {
		_, sealed, err := s.cipher.EncryptMessage(s.key, plain, usage)
		if err != nil {
			return nil, fmt.Errorf("seal a token: %w", err)
		}
		return append(header, sealed...), nil
	}
	sum, err := s.cipher.GetChecksumHash(s.key, plain, usage)
	if err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	binary.BigEndian.PutUint16(header[4:], uint16(len(sum)))
	return append(append(header, data...), sum...), nil
}

var errToken = errors.New("the server's token does not have the negotiated protection")

// unwrap returns the data of the peer's next token, and checks its sequence number and that it is
// sealed or not as agreed. The result may be a part of token, whose bytes are moved.
func (s *secrets) unwrap(token []byte, sealed bool) ([]byte, error) {
	if len(token) < tokenHeaderBytes || token[0] != 5 || token[1] != 4 || token[3] != 0xff {
		return nil, fmt.Errorf("%w: no header of a wrap token", errToken)
	}
	flags, extra := token[2], int(binary.BigEndian.Uint16(token[4:]))
	rotation, number := int(binary.BigEndian.Uint16(token[6:])), binary.BigEndian.Uint64(token[8:])
	if flags&flagAcceptor != 0 == s.acceptor || flags&flagAcceptorSubkey != 0 {
		return nil, fmt.Errorf("%w: its flags are %#x", errToken, flags)
	}
	if flags&flagSealed != 0 != sealed {
		return nil, fmt.Errorf("%w: sealed is %v, want %v", errToken, !sealed, sealed)
	}
	if s.counted && number != s.received {
		return nil, fmt.Errorf("%w: its sequence number is %d, expected %d: a message was lost, repeated or inserted", errToken, number, s.received)
	}
	body := token[tokenHeaderBytes:]
	rotateLeft(body, rotation)
	open := s.verify
	if sealed {
		open = s.open
	}
	data, err := open(token[:tokenHeaderBytes], body, extra)
	if err != nil {
		return nil, err
	}
	s.counted, s.received = true, number+1
	return data, nil
}

func (s *secrets) peerUsage() uint32 {
	if s.acceptor {
		return usageInitiator
	}
	return usageAcceptor
}

// verify checks the checksum of a signed token.
func (s *secrets) verify(header, body []byte, extra int) ([]byte, error) {
	if extra != s.macBytes() || len(body) < extra {
		return nil, fmt.Errorf("%w: a checksum of %d bytes in %d", errToken, extra, len(body))
	}
	data, sum := body[:len(body)-extra], body[len(body)-extra:]
	plain := slices.Concat(data, header)
	clear(plain[len(data)+4 : len(data)+8])
	want, err := s.cipher.GetChecksumHash(s.key, plain, s.peerUsage())
	if err != nil {
		return nil, fmt.Errorf("checksum of a token: %w", err)
	}
	if !hmac.Equal(sum, want) {
		return nil, fmt.Errorf("%w: its checksum is wrong", errToken)
	}
	return data, nil
}

// open decrypts a sealed token.
func (s *secrets) open(header, body []byte, extra int) ([]byte, error) {
	if len(body) < s.cipher.GetConfounderByteSize()+tokenHeaderBytes+extra+s.macBytes() {
		return nil, fmt.Errorf("%w: %d bytes are too few to be sealed", errToken, len(body))
	}
	plain, err := s.cipher.DecryptMessage(s.key, body, s.peerUsage())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errToken, err)
	}
	end := len(plain) - tokenHeaderBytes
	clear(header[6:8])
	if end < extra || !bytes.Equal(plain[end:], header) {
		return nil, fmt.Errorf("%w: its header was changed", errToken)
	}
	return plain[:end-extra], nil
}

// rotateLeft undoes a rotation to the right, in place.
func rotateLeft(b []byte, n int) {
	if len(b) == 0 || n%len(b) == 0 {
		return
	}
	n %= len(b)
	slices.Reverse(b[:n])
	slices.Reverse(b[n:])
	slices.Reverse(b)
}
