package columnar

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// hashKeys make hashes that a sender cannot predict, so that it cannot choose values that collide.
// The construction is that of wyhash, products of key and text folded in half. It takes half the
// time of hash/maphash for the short values of a log; hashing is a tenth of the time of writing a
// line's columns.
type hashKeys [2]uint64

func newHashKeys() hashKeys { return hashKeys{rand.Uint64() | 1, rand.Uint64() | 1} }

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

func (k *hashKeys) hash(b []byte) uint64 {
	n := uint64(len(b))
	first, second := k[0], k[1]
	var x, y uint64
	for len(b) > 16 {
		second = fold(binary.LittleEndian.Uint64(b)^first, binary.LittleEndian.Uint64(b[8:16])^second)
		b = b[16:]
	}
	switch {
	case len(b) >= 8:
		x, y = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		x = uint64(b[0])<<16 | uint64(b[len(b)>>1])<<8 | uint64(b[len(b)-1])
	}
	return fold(first^n, fold(x^first, y^second))
}
