package protection

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sluice/hadoop/protobuf"
	"sluice/hadoop/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readRequest is a request for a block, with a token.
func readRequest(op byte, identifier, password string) []byte {
	token := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, identifier), 2, password)
	header := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, "block"), 2, token)
	if op != opBlockSum {
		header = protobuf.AppendBytes(nil, 1, header)
	}
	return protobuf.AppendDelimited([]byte{0, 28, op}, protobuf.AppendBytes(nil, 1, header))
}

// peer is the log-in of a data node.
type peer struct {
	offers   string // protections
	password string
	aes      bool // it accepts AES if it is offered
}

// accept answers a log-in and returns the connection that follows.
func (p peer) accept(raw net.Conn) (net.Conn, error) {
	magic := make([]byte, 4)
	if _, err := io.ReadFull(raw, magic); err != nil || binary.BigEndian.Uint32(magic) != startOfSASL {
		return nil, fmt.Errorf("the log-in begins with %x, %w", magic, err)
	}
	if _, _, err := readHandshake(raw); err != nil {
		return nil, err
	}
	challenge := fmt.Sprintf(`realm="0",nonce="n0nce",qop="%s",charset=utf-8,cipher="3des,rc4",algorithm=md5-sess`, p.offers)
	if _, err := raw.Write(appendHandshake(nil, []byte(challenge), false)); err != nil {
		return nil, err
	}
	answer, offered, err := readHandshake(raw)
	if err != nil {
		return nil, err
	}
	said, err := directives(string(answer))
	if err != nil {
		return nil, err
	}
	d := &digest{user: said["username"], password: base64.StdEncoding.EncodeToString([]byte(p.password)), service: said["digest-uri"], cnonce: said["cnonce"],
		realm: "0", nonce: "n0nce", qop: said["qop"]}
	for _, q := range qops {
		if q.name == d.qop {
			d.agreed = q.protection
		}
	}
	if said["response"] != d.proof("AUTHENTICATE:") || d.user != base64.StdEncoding.EncodeToString([]byte("who")) {
		_, err := raw.Write(protobuf.AppendDelimited(nil, protobuf.AppendBytes(protobuf.AppendUint(nil, 1, 2), 3, "no such token")))
		return nil, err
	}
	reply := appendHandshake(nil, []byte("rspauth="+d.proof(":")), false)
	if d.agreed == sasl.Authentication {
		_, err := raw.Write(reply)
		return raw, err
	}
	made, err := newWrapped(raw, d.session(), d.agreed == sasl.Privacy)
	if err != nil {
		return nil, err
	}
	swapped := &wrapped{Conn: raw}
	if swapped.in, err = newHalf(d.session(), signsToServer, sealsToServer, d.agreed == sasl.Privacy); err != nil {
		return nil, err
	}
	swapped.out = made.in
	if !p.aes || offered == nil {
		_, err := raw.Write(reply)
		return swapped, err
	}
	return acceptAES(raw, swapped, reply)
}

// acceptAES sends keys after the proof.
func acceptAES(raw net.Conn, old *wrapped, reply []byte) (net.Conn, error) {
	inKey, outKey, iv := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16), bytes.Repeat([]byte{3}, 16)
	option := protobuf.AppendUint(nil, 1, suiteAES)
	option = protobuf.AppendBytes(protobuf.AppendBytes(option, 2, old.out.wrap(nil, inKey)), 3, iv)
	option = protobuf.AppendBytes(protobuf.AppendBytes(option, 4, old.out.wrap(nil, outKey)), 5, iv)
	message, _, err := protobuf.CutDelimited(reply)
	if err != nil {
		return nil, err
	}
	if _, err := raw.Write(protobuf.AppendDelimited(nil, protobuf.AppendBytes(message, 4, option))); err != nil {
		return nil, err
	}
	made := &streams{Conn: raw}
	for _, way := range []struct {
		stream *cipher.Stream
		key    []byte
	}{{&made.in, inKey}, {&made.out, outKey}} {
		block, err := aes.NewCipher(way.key)
		if err != nil {
			return nil, err
		}
		*way.stream = cipher.NewCTR(block, iv)
	}
	return made, nil
}

// The data node gets the complete request, and an answer of several messages can be read in parts of
// any size.
func TestRequestsAndAnswersPassWhole(t *testing.T) {
	for _, p := range []peer{
		{offers: "auth", password: "secret"}, {offers: "auth-int", password: "secret"},
		{offers: "auth-conf", password: "secret"}, {offers: "auth-conf", password: "secret", aes: true},
	} {
		for _, op := range []byte{opReadBlock, opWriteBlock, opBlockSum} {
			ours, theirs := net.Pipe()
			request := readRequest(op, "who", "secret")
			answer := bytes.Repeat([]byte("0123456789"), 20_000)
			ended := make(chan error, 1)
			go func() {
				defer theirs.Close()
				made, err := p.accept(theirs)
				if err == nil {
					got := make([]byte, len(request))
					if _, err = io.ReadFull(made, got); err == nil && !bytes.Equal(got, request) {
						err = fmt.Errorf("the request was %q, want %q", got, request)
					}
				}
				for at := 0; at < len(answer) && err == nil; at += 1_000 {
					_, err = made.Write(answer[at : at+1_000])
				}
				ended <- err
			}()
			c := DataNode(ours, nil, nil, func(err error) { t.Error(err) })
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(answer))
			for at, n := 0, 0; at < len(got); at += n {
				var err error
				if n, err = c.Read(got[at:min(len(got), at+1_234)]); err != nil {
					t.Fatalf("%+v: after %d bytes: %v", p, at, err)
				}
			}
			if !bytes.Equal(got, answer) {
				t.Errorf("%+v: another answer", p)
			}
			if err := <-ended; err != nil {
				t.Errorf("%+v: %v", p, err)
			}
			c.Close()
		}
	}
}

// logInAt logs in with a request at the server at the other end.
func logInAt(t *testing.T, request []byte, talk func(theirs net.Conn)) error {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		talk(theirs)
	}()
	var told error
	_, err := DataNode(ours, []sasl.Protection{sasl.Privacy, sasl.Integrity}, nil, func(err error) { told = err }).Write(request)
	if told != err {
		t.Errorf("reported error %v, want %v", told, err)
	}
	ours.Close()
	<-done
	return err
}

func TestErrorsOfALogInNameTheCause(t *testing.T) {
	at := func(p peer) func(net.Conn) { return func(c net.Conn) { _, _ = p.accept(c) } }
	good := readRequest(opReadBlock, "who", "secret")
	for _, c := range []struct {
		what    string
		request []byte
		talk    func(net.Conn)
		want    string
		is      error
	}{
		{"another password", good, at(peer{offers: "auth-int", password: "other"}), "it rejected the block's token: status 2: no such token", nil},
		{"less than we want", good, at(peer{offers: "auth", password: "secret"}), `dfs.data.transfer.protection is ["authentication"], ours ["privacy" "integrity"]`, ErrSettings},
		{"no token", readRequest(opBlockSum, "", ""), func(net.Conn) {}, "dfs.block.access.token.enable", ErrSettings},
		{"another operation", readRequest(0x56, "who", "secret"), func(net.Conn) {}, "operation 0x56", nil},
		{"half a request", good[:9], func(net.Conn) {}, "malformed", nil},
		{"the end", good, func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 7)) }, "see its log", io.ErrUnexpectedEOF},
		{"a long answer", good, func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 7))
			_, _ = c.Write([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
		}, "is given as 4294967295 bytes", nil},
	} {
		err := logInAt(t, c.request, c.talk)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v; want %q in it", c.what, err, c.want)
		}
	}
}

// A message with any bit flipped is rejected, and so is one that is repeated or out of order.
func TestAChangedMessageIsRefused(t *testing.T) {
	for _, seal := range []bool{false, true} {
		make2 := func() (from, to *half) {
			for _, h := range []**half{&from, &to} {
				var err error
				if *h, err = newHalf([]byte("session"), signsToClient, sealsToClient, seal); err != nil {
					t.Fatal(err)
				}
			}
			return from, to
		}
		from, _ := make2()
		message := from.wrap(nil, []byte("data"))
		if seal && bytes.Contains(message, []byte("data")) {
			t.Error("a sealed message shows its data")
		}
		for bit := range len(message) * 8 {
			_, to := make2()
			changed := bytes.Clone(message)
			changed[bit/8] ^= 1 << (bit % 8)
			if got, err := to.unwrap(changed); !errors.Is(err, errMessage) {
				t.Errorf("sealed %v: bit %d was turned: %q, %v", seal, bit, got, err)
			}
		}
		_, to := make2()
		if got, err := to.unwrap(bytes.Clone(message)); err != nil || string(got) != "data" {
			t.Errorf("the message itself: %q, %v", got, err)
		}
		if _, err := to.unwrap(bytes.Clone(message)); !errors.Is(err, errMessage) {
			t.Errorf("the message again: %v", err)
		}
		for n := range message {
			_, to := make2()
			if _, err := to.unwrap(bytes.Clone(message[:n])); !errors.Is(err, errMessage) {
				t.Errorf("%d bytes of it: %v", n, err)
			}
		}
	}
}

// An announced length allocates no memory, and the end of the stream within a message is an error.
func TestLengthsAreNotTrusted(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		want  error
	}{
		{[]byte{0xff, 0xff, 0xff, 0xff}, errMessage},
		{[]byte{0, 0xff, 0, 0, 1, 2, 3}, io.ErrUnexpectedEOF},
		{nil, io.EOF},
	} {
		ours, theirs := net.Pipe()
		go func() { _, _ = theirs.Write(c.bytes); theirs.Close() }()
		made, err := newWrapped(ours, []byte("session"), true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := made.Read(make([]byte, 1)); !errors.Is(err, c.want) {
			t.Errorf("%x: %v, want %v", c.bytes, err, c.want)
		}
		if made.received.Cap() > 1<<20 {
			t.Errorf("%x: a buffer of %d bytes", c.bytes, made.received.Cap())
		}
		ours.Close()
	}
}

// FuzzLogIn reads any bytes as the answers of a data node.
func FuzzLogIn(f *testing.F) {
	f.Add(appendHandshake(nil, []byte(`realm="0",nonce="n",qop="auth-conf",cipher="rc4"`), false), appendHandshake(nil, []byte("rspauth=x"), true))
	f.Add(appendHandshake(nil, []byte(`realm="0",nonce="n",qop="auth"`), false), []byte{1})
	f.Fuzz(func(t *testing.T, challenge, proof []byte) {
		raw := script{says: bytes.NewReader(append(bytes.Clone(challenge), proof...))}
		if _, err := handshake(raw, newDigest("who", "secret", digestService), nil); err == nil {
			t.Error("the log-in at a server without the token succeeded")
		}
	})
}

// script is a connection that returns prepared bytes.
type script struct {
	net.Conn
	says *bytes.Reader
}

func (s script) Read(b []byte) (int, error)  { return s.says.Read(b) }
func (s script) Write(b []byte) (int, error) { return len(b), nil }
