package parse

import (
	"encoding/binary"
	"math/bits"
)

// Numbers and addresses have another length on every line, so a loop over their
// digits is a branch that no processor foretells. Here eight bytes are looked at
// as one word, and lengths come out of it without a branch.

const (
	highBits   = 0x8080808080808080
	zeros      = 0x3030303030303030 // eight times '0'
	aboveNines = 0x7676767676767676 // adding it sets the high bit of bytes over 9
)

// nonDigits has the high bit of each byte of w that is no digit.
func nonDigits(w uint64) uint64 {
	d := w ^ zeros
	return (d&^highBits + aboveNines | d) & highBits
}

// numberIn returns the number that w, eight bytes of text, starts with, and how
// many digits it has: 0 to 8.
func numberIn(w uint64) (n uint64, digits int) {
	digits = bits.TrailingZeros64(nonDigits(w)) >> 3
	// To the word's end with them, zeros before; then ones are put together to
	// pairs, pairs to fours, and those to the number.
	w = (w & 0x0f0f0f0f0f0f0f0f) << (64 - 8*uint(digits))
	w = w * (10<<8 + 1) >> 8 & 0x00ff00ff00ff00ff
	w = w * (100<<16 + 1) >> 16 & 0x0000ffff0000ffff
	return w * (10000<<32 + 1) >> 32, digits
}

// windowBytes is the longest dotted quad and a byte more.
const windowBytes = 16

// quadAt reads the dotted quad that b starts with. It returns the address and
// its length, 0 where there is none.
func quadAt(b *[windowBytes]byte) (address uint32, length int) {
	low, high := binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])
	// One bit a byte: the bytes that are no digits, then their places.
	ends := gather(nonDigits(low)) | gather(nonDigits(high))<<8 | 1<<windowBytes
	first := bits.TrailingZeros32(ends)
	ends &= ends - 1
	second := bits.TrailingZeros32(ends)
	ends &= ends - 1
	third := bits.TrailingZeros32(ends)
	ends &= ends - 1
	fourth := bits.TrailingZeros32(ends)
	if third >= windowBytes-1 || b[first&15] != '.' || b[second&15] != '.' || b[third&15] != '.' {
		return 0, 0
	}
	a, ok1 := octet(b, 0, first)
	c, ok2 := octet(b, first+1, second)
	d, ok3 := octet(b, second+1, third)
	e, ok4 := octet(b, third+1, fourth)
	if !(ok1 && ok2 && ok3 && ok4) {
		return 0, 0
	}
	return a<<24 | c<<16 | d<<8 | e, fourth
}

// gather makes one bit of each byte's high bit.
func gather(high uint64) uint32 { return uint32(high >> 7 * 0x0102040810204080 >> 56) }

// octet is the number of one to three digits in b[from:to].
func octet(b *[windowBytes]byte, from, to int) (uint32, bool) {
	n := uint32(b[(to-1)&15]&15) + tens[b[(to-2)&15]&15&mask(to-from, 2)] + hundreds[b[(to-3)&15]&15&mask(to-from, 3)]
	return n, uint(to-from-1) < 3 && n < 256
}

// mask is 15 if length >= least, else 0.
func mask(length, least int) byte { return byte((least-1-length)>>63) & 15 }

var (
	tens     = [16]uint32{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}
	hundreds = [16]uint32{0, 100, 200, 300, 400, 500, 600, 700, 800, 900}
)
