package wire

import (
	"encoding/binary"
	"fmt"
)

// CellType says what a cell does to its row.
type CellType byte

// The types, as class KeyValue.Type numbers them.
const (
	Put                 CellType = 4
	Delete              CellType = 8
	DeleteFamilyVersion CellType = 10
	DeleteColumn        CellType = 12
	DeleteFamily        CellType = 14
)

// Latest is the timestamp that the server replaces by its own clock's.
const Latest = 1<<63 - 1

// Cell is one cell of a cell block. Its bytes are the block's.
type Cell struct {
	Row, Family, Qualifier, Value []byte
	Timestamp                     uint64 // milliseconds since 1970
	Type                          CellType
}

const (
	// A cell is u32 length | u32 key length | u32 value length | key | value, and
	// the key u16 row length | row | u8 family length | family | qualifier |
	// u64 timestamp | u8 type (class KeyValue).
	lengthBytes    = 4
	keyFixedBytes  = 2 + 1 + 8 + 1
	cellFixedBytes = lengthBytes + 8 + keyFixedBytes

	// MaxRowBytes is the longest row key that a cell can hold.
	MaxRowBytes = 1<<15 - 1
)

// CellBytes is the size of a cell in a block.
func CellBytes(row, family, qualifier, value int) int {
	return cellFixedBytes + row + family + qualifier + value
}

// AppendCell appends a cell. The row is at most MaxRowBytes long and the family at
// most 255; it does not allocate where dst has room.
func AppendCell(dst, row []byte, family, qualifier string, timestamp uint64, kind CellType, value []byte) []byte {
	keyLen := keyFixedBytes + len(row) + len(family) + len(qualifier)
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+keyLen+len(value)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(keyLen))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(row)))
	dst = append(dst, row...)
	dst = append(dst, byte(len(family)))
	dst = append(dst, family...)
	dst = append(dst, qualifier...)
	dst = binary.BigEndian.AppendUint64(dst, timestamp)
	dst = append(dst, byte(kind))
	return append(dst, value...)
}

// CutCell cuts the first cell off a block.
func CutCell(block []byte) (c Cell, rest []byte, err error) {
	if len(block) < cellFixedBytes {
		return c, nil, errCell(block)
	}
	total := binary.BigEndian.Uint32(block)
	keyLen := binary.BigEndian.Uint32(block[4:])
	valueLen := binary.BigEndian.Uint32(block[8:])
	// Tags may follow the value: they are in the length and of no use here.
	if uint64(total) > uint64(len(block)-lengthBytes) || uint64(total) < 8+uint64(keyLen)+uint64(valueLen) || keyLen < keyFixedBytes {
		return c, nil, errCell(block)
	}
	rest = block[lengthBytes+int(total):]
	key, value := block[12:12+keyLen], block[12+keyLen:]
	rowLen := uint32(binary.BigEndian.Uint16(key))
	if rowLen+keyFixedBytes > keyLen {
		return c, nil, errCell(block)
	}
	familyLen := uint32(key[2+rowLen])
	if rowLen+familyLen+keyFixedBytes > keyLen {
		return c, nil, errCell(block)
	}
	family, end := 3+rowLen, keyLen-9
	c.Row = key[2 : 2+rowLen : 2+rowLen]
	c.Family = key[family : family+familyLen : family+familyLen]
	c.Qualifier = key[family+familyLen : end : end]
	c.Timestamp = binary.BigEndian.Uint64(key[end:])
	c.Type = CellType(key[keyLen-1])
	c.Value = value[:valueLen:valueLen]
	return c, rest, nil
}

func errCell(block []byte) error {
	return fmt.Errorf("%w: %d bytes that begin with %.12x are no cell", ErrMalformed, len(block), block)
}
