package flume

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/klauspost/compress/zlib"

	"sluice/ingest/avrorpc"
)

// oneConn is a listener of one connection.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (oneConn) Close() error   { return nil }
func (oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// replay serves what a client sent until all of it is read and every call is answered, and returns
// the received events.
func replay(t *testing.T, sent []byte) []place {
	t.Helper()
	r := &received{all: make(chan struct{})}
	s := &avrorpc.Server{
		Services: []avrorpc.Service{Service(func(context.Context, avrorpc.Peer) (Receiver, error) { return r, nil })},
		Limits:   avrorpc.Limits{FrameBytes: 64 << 10, Buffers: 100, Bytes: 1 << 20, InFlight: 1},
		Upgrade:  avrorpc.Layers{}.Upgrade,
	}
	ours, theirs := net.Pipe()
	l := make(oneConn, 1)
	l <- halfClosed{ours, bytes.NewReader(sent)}
	close(l)
	var replies sync.WaitGroup
	replies.Go(func() { io.Copy(io.Discard, theirs) }) //nolint:errcheck // it ends when the server closes
	_ = s.Serve(t.Context(), l)                        // it ends with the listener
	replies.Wait()
	return r.got
}

// halfClosed is a connection whose peer has sent everything and waits for replies.
type halfClosed struct {
	net.Conn
	in *bytes.Reader
}

func (c halfClosed) Read(p []byte) (int, error) { return c.in.Read(p) }

// captured returns what Flume 1.11's Avro sink sent for three lines: the hash of its protocol,
// which the server does not know, and then the same with the protocol's text.
func captured(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/session-plain")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// last is a call of a method that does not exist. A server with one call at a time reads it when
// the previous one is answered.
const last = "\x00\x00\x00\x7f\x00\x00\x00\x01\x00\x00\x00\x03\x00\x02x"

func deflated(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A captured session of Flume is accepted, with and without compression.
func TestACapturedSessionOfFlumeIsTaken(t *testing.T) {
	want := lines(t, 3)
	for name, sent := range map[string][]byte{"plain": append(captured(t), last...), "deflate": deflated(t, append(captured(t), last...))} {
		got := replay(t, sent)
		if len(got) != len(want) {
			t.Errorf("%s: %d events came, want %d", name, len(got), len(want))
			continue
		}
		for i, e := range got {
			if e.body != want[i] || e.host != "web01" || e.file != "/srv/flume/access.log" {
				t.Errorf("%s: event %d is %+v", name, i, e)
			}
		}
	}
}
