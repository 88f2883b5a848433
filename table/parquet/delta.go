package parquet

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The parameters of DELTA_BINARY_PACKED: blocks of 128 differences in four miniblocks; each
// miniblock has its own bit width for the differences minus the block's smallest one.
const (
	deltaBlock    = 128
	deltaMinis    = 4
	deltaMini     = deltaBlock / deltaMinis
	maxDeltaBlock = 1 << 16 // limit for files of other writers
)

// appendDelta appends values, encoded.
func appendDelta(dst []byte, values []int64) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	previous := values[0]
	dst = binary.AppendVarint(dst, previous)
	var deltas [deltaBlock]int64
	for rest := values[1:]; len(rest) > 0; {
		n := min(len(rest), deltaBlock)
		least := int64(math.MaxInt64)
		for i, v := range rest[:n] {
			d := v - previous // may overflow; the sum in the reader overflows in the same way
			deltas[i], previous = d, v
			least = min(least, d)
		}
		rest = rest[n:]
		dst = appendDeltaBlock(dst, deltas[:n], least)
	}
	return dst
}

func appendDeltaBlock(dst []byte, deltas []int64, least int64) []byte {
	dst = binary.AppendVarint(dst, least)
	widths := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for m := 0; m*deltaMini < len(deltas); m++ {
		var above [deltaMini]uint64
		all := uint64(0)
		for i, d := range deltas[m*deltaMini : min(len(deltas), (m+1)*deltaMini)] {
			above[i] = uint64(d) - uint64(least)
			all |= above[i]
		}
		width := uint(bits.Len64(all))
		dst[widths+m] = byte(width)
		acc, n := uint64(0), uint(0)
		for _, v := range above {
			acc |= v << n
			if n+width >= 64 {
				dst = binary.LittleEndian.AppendUint64(dst, acc)
				acc = 0
				if n > 0 {
					acc = v >> (64 - n)
				}
				n = n + width - 64
			} else {
				n += width
			}
		}
		for ; n > 0; n -= 8 { // 32 values are a whole number of 32-bit words
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	return dst
}

// decodeDelta decodes len(dst) values.
func decodeDelta(dst []int64, src []byte) error {
	var head [4]uint64 // block size, miniblocks, number of values, first value in zigzag encoding
	for i := range head {
		n, size := binary.Uvarint(src)
		if size <= 0 {
			return badf("differences without a header")
		}
		head[i], src = n, src[size:]
	}
	block, minis := head[0], head[1]
	if block == 0 || block > maxDeltaBlock || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 || head[2] != uint64(len(dst)) {
		return badf("differences in blocks of %d in %d, of %d values", block, minis, head[2])
	}
	if len(dst) == 0 {
		return nil
	}
	mini := int(block / minis)
	previous := int64(head[3]>>1) ^ -int64(head[3]&1)
	dst[0] = previous
	for rest := dst[1:]; len(rest) > 0; {
		least, size := binary.Varint(src)
		if size <= 0 || len(src)-size < int(minis) {
			return badf("a truncated block of differences")
		}
		widths := src[size : size+int(minis)]
		src = src[size+int(minis):]
		for _, w := range widths {
			if len(rest) == 0 {
				break
			}
			width, n := uint(w), min(mini, len(rest))
			need := mini * int(width) / 8
			if width > 64 || len(src) < need {
				return badf("a truncated block of differences")
			}
			previous = undelta(rest[:n], src, need, width, least, previous)
			rest, src = rest[n:], src[need:]
		}
	}
	return nil
}

// undelta unpacks differences, which are the first need bytes of src, and adds them up from
// previous.
func undelta(dst []int64, src []byte, need int, width uint, least, previous int64) int64 {
	if width == 0 {
		for i := range dst {
			previous += least
			dst[i] = previous
		}
		return previous
	}
	mask := ^uint64(0) >> (64 - width)
	bit := uint(0)
	if width <= 57 && len(src) >= need+8 { // 8 bytes can be loaded without reading beyond src
		for i := range dst {
			previous += least + int64(binary.LittleEndian.Uint64(src[bit>>3:])>>(bit&7)&mask)
			dst[i] = previous
			bit += width
		}
		return previous
	}
	src = src[:need]
	for i := range dst {
		at := bit >> 3
		var w uint64
		if at+8 <= uint(len(src)) {
			w = binary.LittleEndian.Uint64(src[at:]) >> (bit & 7)
			if have := 64 - bit&7; have < width {
				w |= uint64(src[at+8]) << have
			}
		} else {
			w = lastBits(src, bit)
		}
		previous += least + int64(w&mask)
		dst[i] = previous
		bit += width
	}
	return previous
}

// lastBits returns the 64 bits from a bit position near the end of src, with zeros after the end.
func lastBits(src []byte, bit uint) uint64 {
	var tail [16]byte
	copy(tail[:], src[bit>>3:])
	w := binary.LittleEndian.Uint64(tail[:]) >> (bit & 7)
	if bit&7 > 0 {
		w |= uint64(tail[8]) << (64 - bit&7)
	}
	return w
}
