package attack

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"sluice/ingest/protocol"
)

// flooding is the number of connections of one address: as many as are allowed.
const flooding = 64

// flood opens connections, reopens those that are closed, and calls does to write to each. The
// collector's replies are read and discarded.
func flood(ctx context.Context, x *target, does func(conn net.Conn) error) {
	var all sync.WaitGroup
	for range flooding {
		all.Go(func() {
			for wait(ctx, 20*time.Millisecond) {
				conn, err := x.connect(ctx, x.address, evilNetwork+"1")
				if err != nil {
					continue
				}
				if x.tls != nil {
					conn = tls.Client(conn, x.tls)
				}
				stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // it is closed below too
				all.Go(func() { io.Copy(io.Discard, conn) })            //nolint:errcheck // until it is closed
				does(conn)                                              // nolint:errcheck // the connection is reopened
				stop()
				conn.Close() // nolint:errcheck // the attacker ignores errors
			}
		})
	}
	all.Wait()
}

// frame returns a call with one buffer.
func frame(serial int, body []byte) (b []byte) {
	for _, n := range []int{serial, 1, len(body)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n)) // nolint:gosec // it is small
	}
	return append(b, body...)
}

// ping is the request of a ping: no metadata, no message name.
var ping = []byte{0, 0}

// greeting is the handshake with a ping.
func greeting() []byte {
	hash := protocol.New().Hash
	b := append(hash[:], 0)      // no text of the protocol
	b = append(b, hash[:]...)    // hash of the server's protocol
	return append(b, 0, 0, 0, 0) // no metadata of the handshake or the ping
}

// pings sends as many pings as it can.
func pings(ctx context.Context, x *target) {
	many := bytes.Repeat(frame(2, ping), 2000)
	flood(ctx, x, func(conn net.Conn) error {
		_, err := conn.Write(frame(1, greeting()[:34+1+2]))
		for err == nil {
			_, err = conn.Write(many)
		}
		return err
	})
}

// emptyBlocks sends compressed bytes without content.
func emptyBlocks(ctx context.Context, x *target) {
	many := bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 10_000)
	flood(ctx, x, func(conn net.Conn) error {
		w := zlib.NewWriter(conn)
		_, err := w.Write(frame(1, greeting()[:34+1+2]))
		if err == nil {
			err = w.Flush()
		}
		for err == nil {
			_, err = conn.Write(many)
		}
		return err
	})
}
