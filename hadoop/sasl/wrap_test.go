package sasl

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/types"
)

// pair returns both sides of a context, with AES-256 or AES-128.
func pair(t testing.TB, keyType int32) (initiator, acceptor *secrets) {
	t.Helper()
	key := types.EncryptionKey{KeyType: keyType, KeyValue: bytes.Repeat([]byte{7}, map[int32]int{17: 16, 18: 32}[keyType])}
	initiator, err := newSecrets(key, 1000, false)
	if err != nil {
		t.Fatal(err)
	}
	acceptor, err = newSecrets(key, 77, true)
	if err != nil {
		t.Fatal(err)
	}
	return initiator, acceptor
}

func TestWrappedMessagesAreUnwrapped(t *testing.T) {
	for _, keyType := range aesSHA1 {
		for _, seal := range []bool{false, true} {
			a, b := pair(t, keyType)
			for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 1000, maxOurTokenBytes} {
				data := bytes.Repeat([]byte("x"), n)
				for _, way := range []struct{ from, to *secrets }{{a, b}, {b, a}} {
					token, err := way.from.wrap(data, seal)
					if err != nil {
						t.Fatal(err)
					}
					if len(token) > n+way.from.maxOverhead() {
						t.Errorf("%d bytes became %d, more than promised", n, len(token))
					}
					if seal && n > 15 && bytes.Contains(token, data) {
						t.Errorf("a sealed token shows its %d bytes", n)
					}
					got, err := way.to.unwrap(token, seal)
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("type %d, sealed %v, %d bytes: %d bytes, %v", keyType, seal, n, len(got), err)
					}
				}
			}
		}
	}
}

// A sender may rotate the bytes after the header by any number (RFC 4121, 4.2.5), and may put
// filler between the encrypted data and the header.
func TestRotationAndFiller(t *testing.T) {
	for _, rotation := range []int{1, 12, 28, 57, 60_000} {
		for _, seal := range []bool{false, true} {
			a, b := pair(t, 18)
			token, err := b.wrap([]byte("some data to be turned around"), seal)
			if err != nil {
				t.Fatal(err)
			}
			token[6], token[7] = byte(rotation>>8), byte(rotation)
			body := token[tokenHeaderBytes:]
			n := rotation % len(body)
			copy(body, append(bytes.Clone(body[len(body)-n:]), body[:len(body)-n]...))
			if got, err := a.unwrap(token, seal); err != nil || string(got) != "some data to be turned around" {
				t.Errorf("rotated by %d, sealed %v: %q, %v", rotation, seal, got, err)
			}
		}
	}
	a, b := pair(t, 18)
	header := []byte{5, 4, flagAcceptor | flagSealed, 0xff, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	_, sealed, err := b.cipher.EncryptMessage(b.key, append([]byte("data\xff\xff\xff"), header...), usageAcceptor)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.unwrap(append(header, sealed...), true); err != nil || string(got) != "data" {
		t.Errorf("with filler: %q, %v", got, err)
	}
}

// A token with any bit flipped is rejected; so is one that is repeated, out of order, reflected, or
// not encrypted.
func TestAChangedTokenIsRejected(t *testing.T) {
	for _, seal := range []bool{false, true} {
		a, b := pair(t, 18)
		token, err := b.wrap([]byte("data"), seal)
		if err != nil {
			t.Fatal(err)
		}
		for bit := range len(token) * 8 {
			changed := bytes.Clone(token)
			changed[bit/8] ^= 1 << (bit % 8)
			fresh, _ := pair(t, 18)
			got, err := fresh.unwrap(changed, seal)
			whole := (bit/8 == 6 || bit/8 == 7) && string(got) == "data" // the rotation count is not signed: rotations by the whole length change nothing
			if err == nil && !whole {
				t.Errorf("sealed %v: bit %d was turned: %q", seal, bit, got)
			}
		}
		for n := range token {
			if got, err := a.unwrap(bytes.Clone(token[:n]), seal); err == nil {
				t.Errorf("sealed %v: %d bytes of %d: %q", seal, n, len(token), got)
			}
		}
		if _, err := b.unwrap(bytes.Clone(token), seal); !errors.Is(err, errToken) {
			t.Errorf("its own token: %v", err)
		}
		if _, err := a.unwrap(bytes.Clone(token), !seal); !errors.Is(err, errToken) {
			t.Errorf("sealed is %v, want %v: %v", seal, !seal, err)
		}
		if _, err := a.unwrap(bytes.Clone(token), seal); err != nil {
			t.Errorf("the token itself: %v", err)
		}
		if _, err := a.unwrap(bytes.Clone(token), seal); err == nil || !strings.Contains(err.Error(), "number is 77, expected 78") {
			t.Errorf("the same token again: %v", err)
		}
	}
}

// Signed tokens of this package are accepted by gokrb5, and the reverse.
func TestSignedTokensAreThoseOfGokrb5(t *testing.T) {
	a, b := pair(t, 18)
	token, err := a.wrap([]byte("data"), false)
	if err != nil {
		t.Fatal(err)
	}
	key := types.EncryptionKey{KeyType: 18, KeyValue: a.key}
	var theirs gssapi.WrapToken
	if err := theirs.Unmarshal(token, false); err != nil {
		t.Fatal(err)
	}
	if ok, err := theirs.Verify(key, usageInitiator); !ok {
		t.Error(err)
	}
	made := gssapi.WrapToken{Flags: 0, EC: 12, SndSeqNum: 5, Payload: []byte("theirs")}
	if err := made.SetCheckSum(key, usageInitiator); err != nil {
		t.Fatal(err)
	}
	bytes, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.unwrap(bytes, false); err != nil || string(got) != "theirs" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestErrorNamesUnsupportedEncryption(t *testing.T) {
	_, err := newSecrets(types.EncryptionKey{KeyType: 23, KeyValue: make([]byte, 16)}, 0, false)
	if err == nil || !strings.Contains(err.Error(), "allow aes256-cts-hmac-sha1-96") {
		t.Error(err)
	}
}

// FuzzUnwrap decodes arbitrary bytes as a token of a server.
func FuzzUnwrap(f *testing.F) {
	_, b := pair(f, 18)
	for _, seal := range []bool{false, true} {
		token, err := b.wrap([]byte("data"), seal)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token, seal)
		f.Add(token[:20], seal)
	}
	short, err := hex.DecodeString("050403ff0000ffff000000000000004d00")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(short, true)
	f.Fuzz(func(t *testing.T, token []byte, seal bool) {
		a, _ := pair(t, 18)
		n := len(token)
		if data, err := a.unwrap(token, seal); err == nil && len(data) > n {
			t.Errorf("%d bytes in %d", len(data), n)
		}
	})
}
