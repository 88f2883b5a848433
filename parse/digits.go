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
// its length, 0 where there is none. The first two numbers and their dots are in
// the first eight bytes, the others in the eight behind them.
func quadAt(b *[windowBytes]byte) (address uint32, length int) {
	a, c, half, ok := pairIn(binary.LittleEndian.Uint64(b[:]))
	if !ok || b[half] != '.' {
		return 0, 0
	}
	half++
	d, e, rest, ok := pairIn(binary.LittleEndian.Uint64(b[half : half+8]))
	if !ok {
		return 0, 0
	}
	return a<<24 | c<<16 | d<<8 | e, half + rest
}

// pairIn reads two numbers below 256 with a dot between them. length is where
// the second one ends, at most 7.
func pairIn(w uint64) (a, c uint32, length int, ok bool) {
	ends := nonDigits(w)
	first := uint(bits.TrailingZeros64(ends)) &^ 7 // in bits
	second := uint(bits.TrailingZeros64(ends&(ends-1))) &^ 7
	behind := second - first - 8
	if first-8 > 16 || behind-8 > 16 || w>>first&0xff != '.' {
		return 0, 0, 0, false
	}
	// A zero in front of other digits is in no address that is written today.
	if w&0xff == '0' && first > 8 || w>>(first+8)&0xff == '0' && behind > 8 {
		return 0, 0, 0, false
	}
	a = octet(uint32(w) << (24 - first))
	c = octet(uint32(w>>(first+8)) << (24 - behind))
	return a, c, int(second >> 3), a|c < 256
}

// octet is the number whose digits are the lowest three bytes of x, the highest
// byte the last digit. What is in the fourth does not count.
func octet(x uint32) uint32 { return x&15*100 + x>>8&15*10 + x>>16&15 }
