package parquet

import (
	"encoding/binary"
	"math/bits"
)

// The hybrid of run lengths and packed bits, in which dictionary indices and definition
// levels stand: runs of (count<<1, value) and of (groups of eight<<1 | 1, packed bits).

// widthOf is how many bits the largest of n indices takes, one or more: some readers do
// not take zero.
func widthOf(n int) uint { return max(1, uint(bits.Len(uint(max(n, 1)-1)))) }

// appendHybrid appends values of so many bits. values must not be negative.
func appendHybrid(dst []byte, values []int32, width uint) []byte {
	literal := 0 // where the values begin that are not written yet
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

// runOf returns how many values are equal to the first one.
func runOf(values []int32) int {
	first := values[0]
	for i, v := range values {
		if v != first {
			return i
		}
	}
	return len(values)
}

// appendPacked appends a run of packed bits, filled up with zeros to a multiple of eight
// values. That is allowed at the end of a page only; in front of a run of equal values the
// number of values is a multiple of eight.
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

// decodeHybrid reads len(dst) values of so many bits and returns what follows them.
func decodeHybrid(dst []int32, src []byte, width uint) error {
	if width > 32 {
		return badf("indices of %d bits", width)
	}
	valueBytes := int(width+7) / 8
	for len(dst) > 0 {
		head, size := binary.Uvarint(src)
		if size <= 0 {
			return badf("a page with fewer values than it says")
		}
		src = src[size:]
		if head&1 == 0 {
			n := head >> 1
			if n == 0 || len(src) < valueBytes {
				return badf("a run that is not whole")
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
			return badf("a run that is not whole")
		}
		n := len(dst)
		if groups <= uint64(n)/8 {
			n = int(groups) * 8
		}
		need := (n*int(width) + 7) / 8
		if len(src) < need {
			return badf("a run that is not whole")
		}
		unpack(dst[:n], src, width)
		dst = dst[n:]
		src = src[min(uint64(len(src)), groups*uint64(width)):]
	}
	return nil
}

// unpack reads packed bits; src has enough of them.
func unpack(dst []int32, src []byte, width uint) {
	mask := uint64(1)<<width - 1
	bit, i := uint(0), 0
	// Eight bytes at a time, while there are eight.
	if len(src) >= 8 {
		last := uint(len(src)-8) * 8
		for ; i < len(dst) && bit <= last; i++ {
			dst[i] = int32(binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & mask)
			bit += width
		}
	}
	var tail [16]byte
	at := min(bit>>3, uint(len(src)))
	copy(tail[:], src[at:])
	for ; i < len(dst); i++ {
		if bit>>3-at > 8 {
			clear(tail[:])
			at = bit >> 3
			copy(tail[:], src[at:])
		}
		dst[i] = int32(binary.LittleEndian.Uint64(tail[bit>>3-at:]) >> (bit & 7) & mask)
		bit += width
	}
}
