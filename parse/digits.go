package parse

import (
	"encoding/binary"
	"math/bits"
)

// The lengths of numbers and addresses vary from line to line, so the branches of a loop over their
// digits are mispredicted. These functions read eight bytes as one word and find lengths without
// branches.

const (
	highBits   = 0x8080808080808080
	zeros      = 0x3030303030303030 // eight times '0'
	aboveNines = 0x7676767676767676 // adding it sets the high bit of bytes greater than 9
)

// nonDigits has the high bit of each byte of w that is not a digit.
func nonDigits(w uint64) uint64 {
	d := w ^ zeros
	return (d&^highBits + aboveNines | d) & highBits
}

// numberIn returns the number at the start of w, eight bytes of text, and the number of its digits,
// 0 to 8.
func numberIn(w uint64) (n uint64, digits int) {
	digits = bits.TrailingZeros64(nonDigits(w)) >> 3
	// Shift the digits to the word's end, with zeros before them; then combine ones to pairs, pairs
	// to fours, and those to the number.
	w = (w & 0x0f0f0f0f0f0f0f0f) << (64 - 8*uint(digits))
	w = w * (10<<8 + 1) >> 8 & 0x00ff00ff00ff00ff
	w = w * (100<<16 + 1) >> 16 & 0x0000ffff0000ffff
	return w * (10000<<32 + 1) >> 32, digits
}

// windowBytes is the length of the longest dotted quad plus one.
const windowBytes = 16

// quadAt reads the dotted quad at the start of b. It returns the address and its length, 0 if there
// is none. The first two numbers and their dots are in the first eight bytes, the others in the
// eight after them.
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

// pairIn reads two numbers below 256 with a dot between them. length is the end of the second one,
// at most 7.
func pairIn(w uint64) (a, c uint32, length int, ok bool) {
	ends := nonDigits(w)
	first := uint(bits.TrailingZeros64(ends)) &^ 7 // in bits
	second := uint(bits.TrailingZeros64(ends&(ends-1))) &^ 7
	behind := second - first - 8
	if first-8 > 16 || behind-8 > 16 || w>>first&0xff != '.' {
		return 0, 0, 0, false
	}
	// Current addresses have no leading zeros.
	if w&0xff == '0' && first > 8 || w>>(first+8)&0xff == '0' && behind > 8 {
		return 0, 0, 0, false
	}
	a = octet(uint32(w) << (24 - first))
	c = octet(uint32(w>>(first+8)) << (24 - behind))
	return a, c, int(second >> 3), a|c < 256
}

// octet returns the number whose digits are the lowest three bytes of x; the highest of them is the
// last digit. The fourth byte is ignored.
func octet(x uint32) uint32 { return x&15*100 + x>>8&15*10 + x>>16&15 }
