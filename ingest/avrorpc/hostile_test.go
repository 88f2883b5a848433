package avrorpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"
)

// hostile returns what one hostile client sends. Clients that stall leave the connection open.
func hostile(rng *rand.Rand, kind int) []byte {
	switch kind % 5 {
	case 0: // random bytes
		b := make([]byte, 1+rng.IntN(4096))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	case 1: // a length that is not permitted
		return appendFrame(nil, 1, 1<<30)
	case 2: // a permitted length without the bytes
		return append(appendFrame(nil, 1, 4<<20-1), make([]byte, rng.IntN(2048))...)
	case 3: // half a header
		return []byte{0, 0, 0}
	default: // zlib of a frame full of zeros, without end
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		_, _ = z.Write(appendFrame(nil, 1, 4<<20-1)) // a buffer in memory returns no error
		_, _ = z.Write(make([]byte, 6<<20))
		_ = z.Close()
		return b.Bytes()
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestAThousandHostileConnectionsNeitherGrowNorStallTheServer(t *testing.T) {
	const strangers = 1000
	limits := Limits{Conns: 2 * strangers, ConnsPerPeer: 2 * strangers, Frame: time.Minute, Bytes: 8 << 20}
	address := serve(t, &Server{Limits: limits, Upgrade: Layers{}.Upgrade, Services: []Service{{Protocol: echoProtocol(t),
		Open: func(context.Context, Peer) (Session, error) { return echo{}, nil }}}})
	c := connect(t, address, ClientOptions{Probe: 2 * time.Minute})
	honest := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		body := make([]byte, 100<<10)
		if got, err := c.Call(ctx, "append", nil, body, nil); err != nil || len(got) != len(body) {
			t.Fatalf("an honest call: %d bytes, %v", len(got), err)
		}
	}
	honest()
	before := heap()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	payloads := make([][]byte, strangers)
	bomb := hostile(rng, 4) // making it is more expensive than receiving it
	for i := range payloads {
		if payloads[i] = bomb; i%5 < 4 {
			payloads[i] = hostile(rng, i)
		}
	}
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	var sent sync.WaitGroup
	for i, payload := range payloads {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		sent.Go(func() { _, _ = conn.Write(payload) }) // the server may close the connection at any byte
		if i%100 == 0 {
			honest()
		}
	}
	sent.Wait()
	honest()
	// For each connection: two readers of 16 KiB, up to three goroutines, and about 50 KiB for
	// zlib.
	if grown := heap() - before; grown > strangers*128<<10 {
		t.Errorf("grown by %d KiB", grown>>10)
	} else {
		t.Logf("grown by %d KiB for %d strangers", grown>>10, strangers)
	}
	honest()
}

// Incomplete frames of one peer use all of its share, and an honest call from another address is
// answered meanwhile.
func TestFramesThatOnePeerDoesNotEndLeaveRoomForOthers(t *testing.T) {
	limits := Limits{FrameBytes: 4 << 20, Bytes: 16 << 20, Frame: 10 * time.Minute}
	address := serve(t, &Server{Limits: limits, Services: []Service{{Protocol: echoProtocol(t),
		Open: func(context.Context, Peer) (Session, error) { return echo{}, nil }}}})
	c := connect(t, address, ClientOptions{Probe: 2 * time.Minute, ReplyBytes: 4 << 20})
	part := append(appendFrame(nil, 1, 4<<20), make([]byte, 4<<20-1)...)
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 9, 1)}}
	var sent sync.WaitGroup
	for range 30 {
		conn, err := from.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		sent.Go(func() { _, _ = conn.Write(part) }) // it blocks when the server stops reading
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	body := make([]byte, 1<<20)
	for range 50 { // while the incomplete frames arrive, and after that
		if got, err := c.Call(ctx, "append", nil, body, nil); err != nil || len(got) != len(body) {
			t.Fatalf("an honest call: %d bytes, %v", len(got), err)
		}
	}
}

// A frame that is not completed in time ends the connection.
func TestAMissingFrameEndsTheConnection(t *testing.T) {
	address := echoServer(t, Limits{Frame: 20 * time.Millisecond}, nil)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(binary.BigEndian.AppendUint32(nil, 1)); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); len(b) > 0 {
		t.Errorf("%d bytes came, %v", len(b), err)
	}
}
