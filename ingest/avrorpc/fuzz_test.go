package avrorpc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// still is a connection that reads from memory.
type still struct {
	net.Conn
	in *bytes.Reader
}

func (s still) Read(p []byte) (int, error)    { return s.in.Read(p) }
func (still) SetReadDeadline(time.Time) error { return nil }

// FuzzFrames reads any bytes as the requests of a connection.
func FuzzFrames(f *testing.F) {
	p := echoProtocol(f)
	hello := appendRequestHandshake(nil, p, p.Hash, false)
	whole := append(append(hello, 0, 12), "append..."...)
	f.Add(append(appendFrame(nil, 1, len(whole)), whole...))
	f.Add(append(appendFrame(nil, 1, 1<<30), whole...))
	session, err := os.ReadFile("../flume/testdata/session-plain") // as Flume's Avro sink sends
	if err != nil {
		f.Fatal(err)
	}
	f.Add(session)
	f.Fuzz(func(t *testing.T, b []byte) {
		limits := Limits{FrameBytes: 64 << 10, Buffers: 100, Bytes: 1 << 20}.withDefaults()
		pools := new(frames)
		pools.free = limits.Bytes
		conn := still{in: bytes.NewReader(b)}
		in := &frameReader{conn: conn, in: bufio.NewReader(conn), frames: pools, limits: limits, ended: context.Background()}
		for {
			f, err := in.next()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errLimit) {
					t.Fatal(err)
				}
				break
			}
			if len(f.b) > limits.FrameBytes {
				t.Fatalf("a frame of %d bytes", len(f.b))
			}
			r := NewReader(f.b)
			readHandshake(&r, []*Protocol{p})
			skipMeta(&r)
			r.Bytes(maxName)
			if r.Err() != nil && !errors.Is(r.Err(), ErrMalformed) {
				t.Fatal(r.Err())
			}
			pools.put(f)
		}
		if pools.free != limits.Bytes || pools.outside {
			t.Fatalf("%d bytes of the budget are left of %d", pools.free, limits.Bytes)
		}
	})
}
