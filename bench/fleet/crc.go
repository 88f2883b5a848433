package fleet

import "hash/crc32"

// castagnoli is CRC-32C's table: processors have an instruction for it, and a
// check that costs more than the reading would measure itself.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C of b.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// between is the CRC of the last n bytes of something, from the CRC of the whole
// and of what comes before them. A CRC is linear: the part before counts
// multiplied by x^8n.
func between(before, whole uint32, n int64) uint32 {
	return whole ^ multiply(before, power(8*n))
}

// power is x^n modulo CRC-32C's polynomial, by squaring.
func power(n int64) uint32 {
	result, square := uint32(1<<31), uint32(1<<30) // x^0, x^1: the highest bit is the lowest power
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(result, square)
		}
		square = multiply(square, square)
	}
	return result
}

// multiply is a·b modulo the polynomial, both with their bits reversed as
// CRC-32C has them.
func multiply(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= crc32.Castagnoli
		}
	}
	return product
}
