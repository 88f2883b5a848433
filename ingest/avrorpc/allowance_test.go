package avrorpc

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestAConnectionWithoutBatchesIsAnsweredAtABoundedRate(t *testing.T) {
	var a allowance
	began := time.Unix(1_800_000_000, 0)
	now := began
	answered := 0
	for now.Sub(began) < 10*time.Second {
		now = now.Add(a.take(now) + time.Microsecond)
		answered++
	}
	if most := 11 * idleRate; answered > most+1 || answered < most*9/10 {
		t.Errorf("%d answers in 10 s, want about %d", answered, most)
	}
	now = now.Add(time.Minute)
	for i := range idleRate {
		if d := a.take(now); d != 0 {
			t.Fatalf("after a minute without calls answer %d waits for %v", i, d)
		}
	}
}

func TestCompressedBytesWithoutDataEndAConnection(t *testing.T) {
	for name, c := range map[string]struct {
		fill []byte
		ends bool
	}{
		"empty blocks":              {bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 1000), true},
		"short texts, each flushed": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			go func() {
				defer client.Close()
				w := zlib.NewWriter(client)
				for range 10 * maxIdleDeflated / 5000 {
					if c.fill == nil {
						w.Write(bytes.Repeat([]byte("text "), 20)) //nolint:errcheck // the other side reports the error
					}
					if w.Flush() != nil {
						return
					}
					if _, err := client.Write(c.fill); err != nil {
						return
					}
				}
			}()
			_, err := io.Copy(io.Discard, Deflate(server))
			server.Close()
			if errors.Is(err, errLimit) != c.ends {
				t.Errorf("%v", err)
			}
		})
	}
}
