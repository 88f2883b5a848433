package wire

import (
	"encoding/binary"
	"fmt"
)

// CellType is the effect of a cell on its row.
type CellType byte

// The types, as class KeyValue.Type numbers them.
const (
	Put                 CellType = 4
	Delete              CellType = 8
	DeleteFamilyVersion CellType = 10
	DeleteColumn        CellType = 12
	DeleteFamily        CellType = 14
)

// Latest is the timestamp that the server replaces by its clock's.
const Latest = 1<<63 - 1

// Cell is one cell of a cell block. Its bytes are part of the block.
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

	// MaxRowBytes is the maximum length of a row key in a cell.
	MaxRowBytes = 1<<15 - 1
)

// cellBytes is the size of a cell in a block.
func cellBytes(row, family, qualifier, value int) int {
	return cellFixedBytes + row + family + qualifier + value
}

// AppendCell appends a cell. The row must have at most MaxRowBytes and the family at most 255
// bytes. It does not allocate if dst has capacity.
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

// Place is the offsets of the parts of a block's first cell.
type Place struct {
	// The row is from RowAt to Row, the family from Row+1 to Family, the qualifier from there to
	// Qualifier, the value from Qualifier+ValueGap to Value. The next cell begins at End; tags,
	// which are not used, may be before it.
	Row, Family, Qualifier, Value, End int
}

const (
	// RowAt is the offset of every cell's row.
	RowAt = lengthBytes + 8 + 2
	// ValueGap is the length of timestamp and type.
	ValueGap = 9
)

// FirstCell finds the parts of a block's first cell. All are within the block.
func FirstCell(block []byte) (p Place, err error) {
	if len(block) < cellFixedBytes {
		return p, errCell(block)
	}
	total := uint64(binary.BigEndian.Uint32(block))
	keyLen := uint64(binary.BigEndian.Uint32(block[4:]))
	valueLen := uint64(binary.BigEndian.Uint32(block[8:]))
	if total > uint64(len(block)-lengthBytes) || total < 8+keyLen+valueLen || keyLen < keyFixedBytes {
		return p, errCell(block)
	}
	rowLen := uint64(binary.BigEndian.Uint16(block[12:]))
	if rowLen+keyFixedBytes > keyLen {
		return p, errCell(block)
	}
	p.Row = RowAt + int(rowLen)
	familyLen := uint64(block[p.Row])
	if rowLen+familyLen+keyFixedBytes > keyLen {
		return p, errCell(block)
	}
	p.Family = p.Row + 1 + int(familyLen)
	p.Qualifier = RowAt - 2 + int(keyLen) - ValueGap
	p.Value = p.Qualifier + ValueGap + int(valueLen)
	p.End = lengthBytes + int(total)
	return p, nil
}

// CutCell splits off the first cell of a block.
func CutCell(block []byte) (c Cell, rest []byte, err error) {
	p, err := FirstCell(block)
	if err != nil {
		return c, nil, err
	}
	value := p.Qualifier + ValueGap
	c.Row = block[RowAt:p.Row:p.Row]
	c.Family = block[p.Row+1 : p.Family : p.Family]
	c.Qualifier = block[p.Family:p.Qualifier:p.Qualifier]
	c.Timestamp = binary.BigEndian.Uint64(block[p.Qualifier:])
	c.Type = CellType(block[value-1])
	c.Value = block[value:p.Value:p.Value]
	return c, block[p.End:], nil
}

func errCell(block []byte) error {
	return fmt.Errorf("%w: %d bytes that begin with %.12x are not a cell", ErrMalformed, len(block), block)
}
