package hfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// magic is the first bytes of a block, which tell its kind.
type magic string

const (
	dataMagic        magic = "DATABLK*"
	encodedDataMagic magic = "DATABLKE"
	leafMagic        magic = "IDXLEAF2"
	middleMagic      magic = "IDXINTE2"
	rootMagic        magic = "IDXROOT2"
	infoMagic        magic = "FILEINF2"
	trailerMagic     magic = `TRABLK"$`
)

// blockKind is what a block's offset of the previous one refers to.
type blockKind int

const (
	dataBlock blockKind = iota
	leafBlock
	middleBlock
	rootBlock
	infoBlock
	blockKinds
)

const (
	// A header is 8 bytes of magic | u32 bytes after the header, checksums included | u32 bytes of
	// the body before compression | i64 offset of the last block of this kind, or -1 | u8 checksum
	// type | u32 bytes a checksum | u32 bytes of header and body.
	headerBytes   = 33
	checksumBytes = 16 << 10
	checksumType  = 2 // CRC32C
)

// castagnoli is a constant table.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginBlock opens a data block with the cell whose key is w.key.
func (w *Writer) beginBlock() {
	w.body = w.body[:headerBytes]
	if w.options.Encoding == FastDiff {
		w.body = binary.BigEndian.AppendUint16(w.body, uint16(FastDiff))
		w.body = append(w.body, 0, 0, 0, 0) // the bytes of the cells before encoding
	}
	w.index.blockKey = append(w.index.blockKey[:0], w.key...)
	if w.firstRow == nil {
		w.firstRow = append([]byte{}, w.key[rowLengthBytes:w.rowEnd]...)
	}
}

// endBlock writes the open data block.
func (w *Writer) endBlock() error {
	m := dataMagic
	if w.options.Encoding == FastDiff {
		m = encodedDataMagic
		binary.BigEndian.PutUint32(w.body[headerBytes+2:], uint32(w.plain))
	}
	place, err := w.writeBlock(dataBlock, m, w.body)
	if err != nil {
		return err
	}
	if w.firstData < 0 {
		w.firstData = place.offset
	}
	w.body, w.plain = w.body[:headerBytes], 0
	w.index.data.add(place, w.index.blockKey, 1)
	return w.writeLeaves()
}

// place is where a block is.
type place struct {
	offset int64
	bytes  int // on disk, with header and checksums
}

// writeBlock writes a block, whose body is after room for the header.
func (w *Writer) writeBlock(kind blockKind, m magic, body []byte) (place, error) {
	b, err := w.packed.pack(body)
	if err != nil {
		return place{}, err
	}
	checksums := 4 * ((len(b) + checksumBytes - 1) / checksumBytes)
	h := append(b[:0], m...)
	h = binary.BigEndian.AppendUint32(h, uint32(len(b)-headerBytes+checksums))
	h = binary.BigEndian.AppendUint32(h, uint32(len(body)-headerBytes))
	h = binary.BigEndian.AppendUint64(h, uint64(w.previous[kind]))
	h = append(h, checksumType)
	h = binary.BigEndian.AppendUint32(h, checksumBytes)
	binary.BigEndian.AppendUint32(h, uint32(len(b)))
	w.checksums = w.checksums[:0]
	for chunk := range slices.Chunk(b, checksumBytes) {
		w.checksums = binary.BigEndian.AppendUint32(w.checksums, crc32.Checksum(chunk, castagnoli))
	}
	p := place{w.offset, len(b) + len(w.checksums)}
	w.previous[kind] = w.offset
	w.uncompressedBytes += int64(len(body))
	if err := w.write(b); err != nil {
		return place{}, err
	}
	return p, w.write(w.checksums)
}

// write adds bytes to the file.
func (w *Writer) write(b []byte) error {
	n, err := w.out.Write(b)
	w.offset += int64(n)
	if err != nil {
		w.err = fmt.Errorf("hfile: write at %d: %w", w.offset, err)
	}
	return w.err
}
