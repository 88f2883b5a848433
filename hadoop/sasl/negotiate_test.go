package sasl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"sluice/hbase/rpc"
)

func TestChoiceOfProtection(t *testing.T) {
	for _, c := range []struct {
		offered byte
		accept  []Protection
		want    Protection
	}{
		{7, nil, Privacy},
		{3, nil, Integrity},
		{1, nil, Authentication},
		{7, []Protection{Authentication, Privacy}, Authentication},
		{6, []Protection{Authentication, Integrity}, Integrity},
		{4, []Protection{Authentication, Integrity}, ""},
		{0, nil, ""},
	} {
		got, _, err := choose(c.offered, c.accept, "hbase.rpc.protection")
		if got != c.want || (c.want == "") != errors.Is(err, ErrProtection) {
			t.Errorf("offered %b, accepted %v: %q, %v; want %q", c.offered, c.accept, got, err, c.want)
		}
	}
}

func TestReadReply(t *testing.T) {
	number := func(numbers ...int32) (b []byte) {
		for _, n := range numbers {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
		return b
	}
	refusal := append(append(number(1, 5), "Class"...), append(number(4), "text"...)...)
	for what, c := range map[string]struct {
		answer []byte
		want   string
	}{
		"no security":       {number(0, fallBack), "the server has no security"},
		"a refusal":         {refusal, "Class: text"},
		"nothing":           {nil, "does it require TLS"},
		"too long":          {number(0, maxReplyBytes+1), "is given as 65537 bytes"},
		"another protocol":  {[]byte("HTTP/1.1 400 Bad Request"), "does not support SASL"},
		"the end in a word": {number(0, 9), "EOF"},
	} {
		_, err := readReply(bytes.NewReader(c.answer))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q in it", what, err, c.want)
		}
	}
	var refused *rpc.RemoteError
	if _, err := readReply(bytes.NewReader(refusal)); !errors.As(err, &refused) || refused.Class != "Class" {
		t.Errorf("a refusal is %#v", err)
	}
	got, err := readReply(bytes.NewReader(append(number(0, 5), "token"...)))
	if err != nil || string(got) != "token" {
		t.Errorf("%q, %v", got, err)
	}
}

// Data written in parts of any size is read in parts of any other size, also if the server accepts
// small tokens only.
func TestWrappedConnectionCarriesBytes(t *testing.T) {
	for _, offered := range []byte{1, 2, 4} {
		ours, theirs := net.Pipe()
		a, b := pair(t, 18)
		offer, err := b.wrap([]byte{offered, 0, 0, 200}, false)
		if err != nil {
			t.Fatal(err)
		}
		server := make(chan net.Conn, 1)
		go func() { server <- accept(t, theirs, b, offered) }()
		client, err := agree(ours, &Context{secrets: a}, offer)
		if err != nil {
			t.Fatal(err)
		}
		peer := <-server
		sent := bytes.Repeat([]byte("0123456789"), 300)
		go func() {
			if n, err := client.Write(sent); n != len(sent) || err != nil {
				t.Errorf("wrote %d bytes: %v", n, err)
			}
			client.Close()
		}()
		got, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("offer %d: %d bytes of %d, %v", offered, len(got), len(sent), err)
		}
		peer.Close()
	}
}

// accept is the server's side of agree.
func accept(t *testing.T, raw net.Conn, s *secrets, offered byte) net.Conn {
	answer, err := readPart(raw)
	if err != nil {
		t.Error(err)
		return raw
	}
	data, err := s.unwrap(answer, false)
	if err != nil || len(data) != 4 || data[0] != offered {
		t.Errorf("the client chose %v of %d: %v", data, offered, err)
	}
	if offered == 1 {
		return raw
	}
	return &conn{Conn: raw, context: &Context{secrets: s, agreed: map[byte]Protection{2: Integrity, 4: Privacy}[offered], maxPlain: 1000}}
}

// An announced length allocates no memory, and the end of the stream within a token is an error.
func TestLengthsAreNotTrusted(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		want  error
	}{
		{[]byte{0xff, 0xff, 0xff, 0xff}, errToken},
		{[]byte{0x0f, 0, 0, 0, 1, 2, 3}, io.ErrUnexpectedEOF},
		{nil, io.EOF},
	} {
		ours, theirs := net.Pipe()
		go func() { theirs.Write(c.bytes); theirs.Close() }()
		a, _ := pair(t, 18)
		wrapped := &conn{Conn: ours, context: &Context{secrets: a, agreed: Privacy, maxPlain: 100}}
		if _, err := wrapped.Read(make([]byte, 1)); !errors.Is(err, c.want) {
			t.Errorf("%x: %v, want %v", c.bytes, err, c.want)
		}
		if wrapped.token.Cap() > 1<<20 {
			t.Errorf("%x: a buffer of %d bytes", c.bytes, wrapped.token.Cap())
		}
		ours.Close()
	}
}
