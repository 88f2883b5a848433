package avrorpc

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var (
	evil   = netip.MustParsePrefix("192.0.2.1/32")
	honest = netip.MustParsePrefix("192.0.2.2/32")
)

// One peer leaves room for the frames of others, however many frames it begins.
func TestOnePeerLeavesRoomForTheFramesOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget{free: 64, share: 16}
		ctx, cancel := context.WithCancel(t.Context())
		h := b.open(evil)
		for range 20 {
			go func() {
				if got, err := b.take(ctx, h, 4); err == nil {
					defer b.give(claim{h, 4 * int64(1-min(got, 1)), got})
					<-ctx.Done()
				}
			}()
		}
		synctest.Wait()
		if b.free != 48 || h.bytes != 16 || !h.outside || len(b.waiters) != 15 {
			t.Errorf("%d bytes are free, the peer has %d, %d readers wait", b.free, h.bytes, len(b.waiters))
		}
		other := b.open(honest)
		for range 4 {
			if got, err := b.take(t.Context(), other, 4); got != counted || err != nil {
				t.Errorf("another peer: %v, %v", got, err)
			}
		}
		b.give(claim{of: other, bytes: 16})
		b.close(honest, other)
		cancel()
		synctest.Wait()
		b.close(evil, h)
		if b.free != 64 || b.outside || b.over != 0 || len(b.waiters) != 0 || len(b.peers) != 0 {
			t.Errorf("after all frames: %+v", b)
		}
	})
}

// Every frame is read to its end with fewer bytes than the frames of all peers need together, and
// afterwards as many bytes are free as before.
func TestEveryFrameIsReadToItsEnd(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			b := &budget{free: 32, share: 8}
			var left atomic.Int64
			for i := range 60 {
				from := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(6))}), 32)
				ctx, cancel := context.WithCancel(t.Context())
				h := b.open(from)
				steps := 1 + random.IntN(4)
				left.Add(1)
				go func() {
					defer cancel()
					var c claim
					for n := int64(1); steps > 0 && c.outside == counted; steps, n = steps-1, 2*n {
						got, err := b.take(ctx, h, n)
						if err != nil {
							break
						}
						if c.of, c.outside = h, got; got == counted {
							c.bytes += n
						}
					}
					b.give(c)
					b.close(from, h)
					left.Add(-1)
				}()
				if i%7 == 0 {
					cancel()
				}
			}
			synctest.Wait()
			if left.Load() != 0 || b.free != 32 || b.outside || b.over != 0 || len(b.waiters) != 0 || len(b.peers) != 0 {
				t.Errorf("seed %d: %d frames are not read: %+v", seed, left.Load(), b)
			}
		})
	}
}
