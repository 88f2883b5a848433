package receiver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// stranger is one hostile connection, which stays open.
type stranger struct {
	name string
	does func(conn net.Conn, rng *rand.Rand) error
}

// strangers returns the kinds of hostile connections. Each write may fail at any byte.
func strangers(t *testing.T) []stranger {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	bomb := z.EncodeAll(bytes.Repeat([]byte("a line\n"), 64<<20/7), nil)
	writes := func(b func(rng *rand.Rand) []byte) func(net.Conn, *rand.Rand) error {
		return func(conn net.Conn, rng *rand.Rand) error { _, err := conn.Write(b(rng)); return err }
	}
	frame := func(n uint32) []byte { // header of a frame with one buffer, without the buffer
		return binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1, 0, 0, 0, 1}, n)
	}
	return []stranger{
		{"random bytes", writes(func(rng *rand.Rand) []byte {
			b := make([]byte, 1+rng.IntN(4096))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		})},
		{"a length that is not allowed", writes(func(*rand.Rand) []byte { return frame(1 << 31) })},
		{"more buffers than are allowed", writes(func(*rand.Rand) []byte { return []byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff} })},
		{"a frame of the greatest length that never comes", writes(func(rng *rand.Rand) []byte {
			return append(frame(maxBodyBytes), make([]byte, rng.IntN(64<<10))...)
		})},
		{"half a head", writes(func(*rand.Rand) []byte { return []byte{0, 0} })},
		{"nothing", func(net.Conn, *rand.Rand) error { return nil }},
		{"a bomb", func(conn net.Conn, rng *rand.Rand) error {
			// One decompresses to the announced range, and one to more.
			return offer(conn, bomb, []int64{maxBodyBytes, 1000}[rng.IntN(2)])
		}},
		{"a host that is none", func(conn net.Conn, _ *rand.Rand) error {
			return call(conn, protocol.MessageHello, (&protocol.Hello{Host: "../../etc"}).Append(nil), nil)
		}},
	}
}

// call makes a handshake and one call.
func call(conn net.Conn, message string, head, body []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	// The client would close the connection after an error; a hostile peer does not.
	client, err := avrorpc.NewClient(ctx, &stays{Conn: conn}, protocol.New(), avrorpc.ClientOptions{})
	if err != nil {
		return err
	}
	_, err = client.Call(ctx, message, head, body, nil)
	return errors.Join(err, client.Close())
}

// stays is a connection that its client cannot close: after Close it only returns errors.
type stays struct {
	net.Conn
	mu     sync.Mutex
	closed bool
}

func (s *stays) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.Conn.SetDeadline(time.Unix(1, 0))
}

func (s *stays) set(deadline func(time.Time) error, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return deadline(at)
}

func (s *stays) SetDeadline(t time.Time) error      { return s.set(s.Conn.SetDeadline, t) }
func (s *stays) SetReadDeadline(t time.Time) error  { return s.set(s.Conn.SetReadDeadline, t) }
func (s *stays) SetWriteDeadline(t time.Time) error { return s.set(s.Conn.SetWriteDeadline, t) }

// offer sends a batch of a stream that was named in a hello.
func offer(conn net.Conn, body []byte, length int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	client, err := avrorpc.NewClient(ctx, &stays{Conn: conn}, protocol.New(), avrorpc.ClientOptions{})
	if err != nil {
		return err
	}
	hello := protocol.Hello{Host: "evil", Streams: []protocol.Stream{{ID: 666, Path: "/a.log", Format: "common"}}}
	if _, err := client.Call(ctx, protocol.MessageHello, hello.Append(nil), nil, nil); err != nil {
		return errors.Join(err, client.Close())
	}
	m := protocol.Batch{Stream: 666, Range: schema.Range{End: length}, Lines: 1, Compression: protocol.Zstd, Body: body}
	reply, err := client.Call(ctx, protocol.MessageAppend, m.AppendHead(nil), m.Body, nil)
	var r protocol.Receipt
	if err == nil {
		err = r.Decode(reply)
	}
	if err == nil && r.Status != protocol.Refused {
		err = fmt.Errorf("a bomb: %+v", r)
	}
	return errors.Join(err, client.Close())
}

// live returns the number of bytes on the heap after a garbage collection.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// A thousand hostile connections are open at once, from many addresses because the limit for one
// address would close them. The memory of the collector stays bounded, and an agent's lines are on
// disk before the last of the connections is closed.
func TestAThousandHostileConnectionsAreBoundedAndDelayNoAgent(t *testing.T) {
	const count, perAddress = 1000, 50
	dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
	c := collect(t, dir, "127.0.0.1:0", 0)
	write(t, logs, "a.log", lines(0, 1000))
	s := follow(t, logs, c.address)
	c.received(t, s, 1000)
	before := live()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	kinds := strangers(t)
	var conns []net.Conn
	var working sync.WaitGroup
	most := int64(0)
	for i := range count {
		local := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i / perAddress)}), 0))
		conn, err := (&net.Dialer{LocalAddr: local}).DialContext(t.Context(), "tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		kind, rng := kinds[i%len(kinds)], rand.New(rand.NewPCG(seed, uint64(i)))
		working.Go(func() {
			if err := kind.does(conn, rng); err != nil && kind.name == "a bomb" {
				t.Error(err)
			}
		})
		if i%100 == 99 {
			write(t, logs, "a.log", lines(1000+i-99, 100))
			c.received(t, s, int64(1000+i+1))
			most = max(most, live()-before)
		}
	}
	working.Wait()
	most = max(most, live()-before)
	t.Logf("at most %d KiB more for %d strangers", most>>10, count)
	// The bound is for the frames of all connections, and for each connection 16 KiB of buffers,
	// the detection of compression, and some goroutines; in this test also the client's side.
	if bound := int64(64<<20 + count*64<<10); most > bound {
		t.Errorf("grown by %d KiB, more than %d", most>>10, bound>>10)
	}
	write(t, logs, "a.log", lines(2000, 100))
	c.received(t, s, 2100)
	for _, conn := range conns {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	s.end(t)
	c.end(t, false)
	c.holds(t, lines(0, 2100))
	if n := c.core.Counters.Lines.Load(); n != 2100 {
		t.Errorf("%d lines were received", n)
	}
}
