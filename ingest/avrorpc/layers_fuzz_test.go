package avrorpc

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"net"
	"testing"
	"time"
)

// quiet is a connection that reads from memory and discards what is written.
type quiet struct{ still }

func (quiet) Write(p []byte) (int, error)      { return len(p), nil }
func (quiet) Close() error                     { return nil }
func (quiet) SetDeadline(time.Time) error      { return nil }
func (quiet) SetWriteDeadline(time.Time) error { return nil }

func zlibOf(f *testing.F, b []byte) []byte {
	f.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return out.Bytes()
}

// FuzzLayers reads any bytes as a connection that may be compressed: no frame exceeds its limit,
// however much its bytes decompress to, and the whole budget is free afterwards.
func FuzzLayers(f *testing.F) {
	p := echoProtocol(f)
	hello := append(appendRequestHandshake(nil, p, p.Hash, false), 0, 12)
	whole := append(hello, "append..."...)
	frame := append(appendFrame(nil, 1, len(whole)), whole...)
	f.Add(frame)
	f.Add(zlibOf(f, frame))
	f.Add(zlibOf(f, frame)[:20])
	f.Add(zlibOf(f, zlibOf(f, frame)))
	f.Add(zlibOf(f, append(appendFrame(nil, 1, 1<<20), make([]byte, 1<<20)...)))
	f.Add([]byte{tlsFirst, 3, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		limits := Limits{FrameBytes: 64 << 10, Buffers: 100, Bytes: 1 << 20}.withDefaults()
		pools := new(frames)
		pools.free = limits.Bytes
		conn, err := Layers{}.Upgrade(t.Context(), quiet{still{in: bytes.NewReader(b)}})
		if err != nil {
			return
		}
		if _, err := (Layers{}).Upgrade(t.Context(), net.Conn(quiet{still{in: bytes.NewReader(nil)}})); err == nil {
			t.Fatal("a connection without a byte is upgraded")
		}
		in := &frameReader{conn: conn, in: bufio.NewReader(conn), frames: pools, limits: limits, ended: context.Background()}
		for {
			f, err := in.next()
			if err != nil {
				break // any error of zlib
			}
			if len(f.b) > limits.FrameBytes {
				t.Fatalf("a frame of %d bytes", len(f.b))
			}
			pools.put(f)
		}
		if pools.free != limits.Bytes || pools.outside {
			t.Fatalf("%d bytes of the budget are left of %d", pools.free, limits.Bytes)
		}
	})
}
