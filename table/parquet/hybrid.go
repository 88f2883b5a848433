package parquet

import (
	"encoding/binary"
	"math/bits"
)

// The RLE/bit-packing hybrid encoding of dictionary indices and definition levels. It is a sequence
// of runs: (count<<1, value) or (groups of eight<<1 | 1, packed bits).

// widthOf returns the bit width of indices below n, at least 1, because some readers reject 0.
func widthOf(n int) uint { return max(1, uint(bits.Len(uint(max(n, 1)-1)))) }

// appendHybrid appends values, encoded with the given bit width. They must not be negative.
func appendHybrid(dst []byte, values []int32, width uint) []byte {
	literal := 0 // index of the first value that is not yet written
	for i := 0; i+8 <= len(values); {
		run := runOf(values[i:])
		if run < 16 {
			i += 8
			continue
		}
		dst = appendPacked(dst, values[literal:i], width)
		dst = binary.AppendUvarint(dst, uint64(run)<<1)
		for shift := uint(0); shift < width; shift += 8 {
			dst = append(dst, byte(uint32(values[i])>>shift))
		}
		i += run
		literal = i
	}
	return appendPacked(dst, values[literal:], width)
}

// runOf returns the number of leading values that are equal.
func runOf(values []int32) int {
	first := values[0]
	for i, v := range values {
		if v != first {
			return i
		}
	}
	return len(values)
}

// appendPacked appends a bit-packed run, padded with zeros to a multiple of eight values. Padding
// is allowed only at the end of a page; a run before a repeated value has a multiple of eight
// values.
func appendPacked(dst []byte, values []int32, width uint) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	start := len(dst)
	acc, n := uint64(0), uint(0)
	for _, v := range values {
		acc |= uint64(uint32(v)) << n
		if n += width; n >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
			acc >>= 32
			n -= 32
		}
	}
	for ; len(dst)-start < groups*int(width); acc >>= 8 {
		dst = append(dst, byte(acc))
	}
	return dst
}

// decodeHybrid decodes len(dst) values of the given bit width.
func decodeHybrid(dst []int32, src []byte, width uint) error {
	if width > 32 {
		return badf("indices of %d bits", width)
	}
	valueBytes := int(width+7) / 8
	for len(dst) > 0 {
		head, size := binary.Uvarint(src)
		if size <= 0 {
			return badf("a page with fewer values than its header states")
		}
		src = src[size:]
		if head&1 == 0 {
			n := head >> 1
			if n == 0 || len(src) < valueBytes {
				return badf("a truncated run")
			}
			var value uint32
			for i := range valueBytes {
				value |= uint32(src[i]) << (8 * i)
			}
			src = src[valueBytes:]
			run := dst[:min(n, uint64(len(dst)))]
			for i := range run {
				run[i] = int32(value)
			}
			dst = dst[len(run):]
			continue
		}
		groups := head >> 1
		if groups == 0 {
			return badf("a truncated run")
		}
		n := len(dst)
		if groups <= uint64(n)/8 {
			n = int(groups) * 8
		}
		need := (n*int(width) + 7) / 8
		if len(src) < need {
			return badf("a truncated run")
		}
		unpack(dst[:n], src, width)
		dst = dst[n:]
		src = src[min(uint64(len(src)), groups*uint64(width)):]
	}
	return nil
}

// unpack decodes bit-packed values; src must be long enough. Eight values are width bytes, so as
// many values as possible are taken from each 64-bit word. A loop over single values takes three
// times as long.
func unpack(dst []int32, src []byte, width uint) {
	done := 0
	switch {
	case width == 0:
		clear(dst)
		return
	case width <= 8:
		done = unpackEight(dst, src, width)
	case width <= 16:
		done = unpackFour(dst, src, width)
	case width <= 28:
		done = unpackTwo(dst, src, width)
	}
	mask := uint64(1)<<width - 1
	var tail [16]byte
	for i := done; i < len(dst); i++ {
		at := uint(i) * width
		clear(tail[:8])
		copy(tail[:8], src[at>>3:])
		dst[i] = int32(binary.LittleEndian.Uint64(tail[:]) >> (at & 7) & mask)
	}
}

func unpackEight(dst []int32, src []byte, width uint) (done int) {
	mask := uint64(1)<<width - 1
	for len(dst)-done >= 8 && len(src) >= 8 {
		w := binary.LittleEndian.Uint64(src)
		to := (*[8]int32)(dst[done:])
		to[0] = int32(w & mask)
		to[1] = int32(w >> (width & 63) & mask)
		to[2] = int32(w >> (2 * width & 63) & mask)
		to[3] = int32(w >> (3 * width & 63) & mask)
		to[4] = int32(w >> (4 * width & 63) & mask)
		to[5] = int32(w >> (5 * width & 63) & mask)
		to[6] = int32(w >> (6 * width & 63) & mask)
		to[7] = int32(w >> (7 * width & 63) & mask)
		src = src[width:]
		done += 8
	}
	return done
}

func unpackFour(dst []int32, src []byte, width uint) (done int) {
	mask := uint64(1)<<width - 1
	half, shift := width/2, width*4&7
	for len(dst)-done >= 8 && uint(len(src)) >= half+8 {
		w, v := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[half:])>>shift
		to := (*[8]int32)(dst[done:])
		to[0] = int32(w & mask)
		to[1] = int32(w >> (width & 63) & mask)
		to[2] = int32(w >> (2 * width & 63) & mask)
		to[3] = int32(w >> (3 * width & 63) & mask)
		to[4] = int32(v & mask)
		to[5] = int32(v >> (width & 63) & mask)
		to[6] = int32(v >> (2 * width & 63) & mask)
		to[7] = int32(v >> (3 * width & 63) & mask)
		src = src[width:]
		done += 8
	}
	return done
}

func unpackTwo(dst []int32, src []byte, width uint) (done int) {
	mask := uint64(1)<<width - 1
	for len(dst)-done >= 8 && uint(len(src)) >= width+8 {
		to := (*[8]int32)(dst[done:])
		for pair := range uint(4) {
			at := pair * 2 * width
			w := binary.LittleEndian.Uint64(src[at>>3:]) >> (at & 7)
			to[2*pair] = int32(w & mask)
			to[2*pair+1] = int32(w >> (width & 63) & mask)
		}
		src = src[width:]
		done += 8
	}
	return done
}
