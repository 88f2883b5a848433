package fleet

import "hash/crc32"

// castagnoli is the table of CRC-32C, for which processors have an instruction: the check must cost
// less than the reading that is measured.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of b.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// between returns the CRC of the last n bytes of data, from the CRC of all of it and that of the
// bytes before them. A CRC is linear: the CRC of the first part is multiplied by x^8n.
func between(before, whole uint32, n int64) uint32 {
	return whole ^ multiply(before, power(8*n))
}

// power returns x^n modulo the polynomial of CRC-32C, by squaring.
func power(n int64) uint32 {
	result, square := uint32(1<<31), uint32(1<<30) // x^0 and x^1: the highest bit is the lowest power
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(result, square)
		}
		square = multiply(square, square)
	}
	return result
}

// multiply returns a·b modulo the polynomial, both bit-reversed as in CRC-32C.
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
