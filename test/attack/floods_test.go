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

// flooding is how many connections one address floods on: as many as it may have.
const flooding = 64

// flood opens connections, again where they are closed, and has does write to each. What
// the collector answers is read and dropped.
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
				does(conn)                                              //nolint:errcheck // then it comes again
				stop()
				conn.Close() //nolint:errcheck // an attacker does not mind
			}
		})
	}
	all.Wait()
}

// frame is one call of one buffer.
func frame(serial int, body []byte) (b []byte) {
	for _, n := range []int{serial, 1, len(body)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // small
	}
	return append(b, body...)
}

// ping asks for nothing: no metadata, no message's name.
var ping = []byte{0, 0}

// greeting is a handshake by a ping.
func greeting() []byte {
	hash := protocol.New().Hash
	b := append(hash[:], 0)      // no protocol's text
	b = append(b, hash[:]...)    // the server's
	return append(b, 0, 0, 0, 0) // no metadata, and none of the ping
}

// pings asks for nothing as often as it can.
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

// emptyBlocks are compressed bytes that say nothing.
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
