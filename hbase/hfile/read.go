package hfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"sluice/hbase/wire"
)

// Cell is a cell that was read from a file. Its bytes are valid until the next one.
type Cell struct {
	Row, Qualifier, Value []byte
	Timestamp             uint64 // milliseconds since 1970
}

// errDamaged is wrapped by the error for a file that no Writer wrote, or that was changed.
var errDamaged = errors.New("damaged file")

// maxReadBytes bounds a block: a cell of maxCellBytes after one that is nearly as large as a block.
const maxReadBytes = maxBlockBytes + 2*maxCellBytes

// Read reads the cells of a file that a Writer with this compression wrote, in order, and verifies
// their checksums. It ends with the first error of do.
func Read(in io.Reader, c Compression, do func(Cell) error) error {
	r := reader{in: in, compression: c, do: do}
	defer func() {
		if r.zstd != nil {
			r.zstd.Close()
		}
	}()
	for {
		more, err := r.block()
		if err != nil || !more {
			return err
		}
	}
}

type reader struct {
	in          io.Reader
	compression Compression
	do          func(Cell) error

	zstd   *zstd.Decoder // nil: not needed yet
	packed []byte
	plain  []byte
	key    []byte
	value  []byte
}

// block reads one block; false is the end of the cells.
func (r *reader) block() (more bool, err error) {
	var head [headerBytes]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return false, damaged("a block's header", err)
	}
	behind := binary.BigEndian.Uint32(head[8:])
	uncompressed := binary.BigEndian.Uint32(head[12:])
	end := binary.BigEndian.Uint32(head[29:])
	checksums := 4 * ((uint64(end) + checksumBytes - 1) / checksumBytes)
	if behind > maxReadBytes || uncompressed > maxReadBytes || end < headerBytes || uint64(behind)+headerBytes != uint64(end)+checksums {
		return false, damaged("a block's lengths", nil)
	}
	r.packed = append(r.packed[:0], head[:]...)
	r.packed = append(r.packed, make([]byte, behind)...)
	if _, err := io.ReadFull(r.in, r.packed[headerBytes:]); err != nil {
		return false, damaged("a block", err)
	}
	sums := r.packed[end:]
	for i := 0; i < int(end); i += checksumBytes {
		if crc32.Checksum(r.packed[i:min(i+checksumBytes, int(end))], castagnoli) != binary.BigEndian.Uint32(sums) {
			return false, damaged("a block's checksum", nil)
		}
		sums = sums[4:]
	}
	switch magic(head[:8]) {
	case dataMagic, encodedDataMagic:
	case leafMagic:
		return true, nil
	default: // the upper levels of the index are after the data
		return false, nil
	}
	r.plain, err = r.unpack(r.plain[:0], r.packed[headerBytes:end], int(uncompressed))
	if err != nil {
		return false, damaged("a compressed block", err)
	}
	if magic(head[:8]) == dataMagic {
		return true, r.wholeCells(r.plain)
	}
	if len(r.plain) < 6 || binary.BigEndian.Uint16(r.plain) != uint16(FastDiff) {
		return false, damaged("a block's encoding", nil)
	}
	return true, r.differences(r.plain[6:])
}

func damaged(what string, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("hfile: %w: %s: %w", errDamaged, what, err)
	}
	return fmt.Errorf("hfile: %w: %s", errDamaged, what)
}

// wholeCells passes on the cells of a block without encoding.
func (r *reader) wholeCells(b []byte) error {
	for len(b) > 0 {
		if len(b) < cellLengthBytes {
			return damaged("a cell", nil)
		}
		key, value := uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
		b = b[cellLengthBytes:]
		if key+value > uint64(len(b)) {
			return damaged("a cell's lengths", nil)
		}
		if err := r.pass(b[:key], b[key:key+value]); err != nil {
			return err
		}
		b = b[key+value:]
	}
	return nil
}

// differences passes on the cells of a block in FAST_DIFF.
func (r *reader) differences(b []byte) error {
	r.key, r.value = r.key[:0], r.value[:0]
	for len(b) > 0 {
		var ok bool
		if b, ok = r.difference(b); !ok {
			return damaged("a cell in FAST_DIFF", nil)
		}
		if err := r.pass(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

// difference makes the next key and value of the last ones.
func (r *reader) difference(b []byte) (rest []byte, ok bool) {
	flags := b[0]
	c := cutter{rest: b[1:], ok: true}
	first := len(r.key) == 0
	keyLen, valueLen := len(r.key), len(r.value)
	if flags&sameKeyLength == 0 {
		keyLen = c.uvarint()
	}
	if flags&sameValueLength == 0 {
		valueLen = c.uvarint()
	}
	shared := c.uvarint()
	switch {
	case !c.ok || keyLen < rowLengthBytes+1+keySuffixBytes || shared > len(r.key) || shared > keyLen-keySuffixBytes:
		return nil, false
	case first:
		r.key = append(r.key[:0], c.take(keyLen)...)
	default:
		if !r.nextKey(&c, keyLen, shared, int(flags&maxSharedTimestampBytes)) {
			return nil, false
		}
	}
	if flags&sameValue == 0 || first {
		r.value = append(r.value[:0], c.take(valueLen)...)
	}
	return c.rest, c.ok
}

// nextKey makes a key that shares its first bytes with the last one.
func (r *reader) nextKey(c *cutter, keyLen, shared, sharedTimestamp int) bool {
	last := r.key
	rowEnd := rowLengthBytes + int(binary.BigEndian.Uint16(last)) // of a key that pass has checked
	familyEnd := rowEnd + 1 + int(last[rowEnd])
	var family, timestamp [256]byte
	familyBytes := copy(family[:], last[rowEnd:familyEnd])
	copy(timestamp[:], last[len(last)-keySuffixBytes:])
	k := last[:shared]
	if shared < familyEnd { // another row
		for len(k) < rowLengthBytes {
			k = append(k, c.take(1)...)
			if !c.ok {
				return false
			}
		}
		row := rowLengthBytes + int(binary.BigEndian.Uint16(k))
		if row < len(k) || row+familyBytes+keySuffixBytes > keyLen {
			return false
		}
		k = append(k, c.take(row-len(k))...)
		k = append(k, family[:familyBytes]...)
	}
	if len(k) > keyLen-keySuffixBytes {
		return false
	}
	k = append(k, c.take(keyLen-keySuffixBytes-len(k))...)
	k = append(k, timestamp[:sharedTimestamp]...)
	k = append(k, c.take(timestampBytes-sharedTimestamp)...)
	r.key = append(k, byte(wire.Put))
	return c.ok
}

// pass passes on a cell whose key was checked to be long enough, or not at all.
func (r *reader) pass(key, value []byte) error {
	if len(key) < rowLengthBytes+1+keySuffixBytes || key[len(key)-1] != byte(wire.Put) {
		return damaged("a key", nil)
	}
	rowEnd := rowLengthBytes + int(binary.BigEndian.Uint16(key))
	if rowEnd+1+keySuffixBytes > len(key) {
		return damaged("a key's row", nil)
	}
	familyEnd, end := rowEnd+1+int(key[rowEnd]), len(key)-keySuffixBytes
	if familyEnd > end {
		return damaged("a key's family", nil)
	}
	return r.do(Cell{Row: key[rowLengthBytes:rowEnd], Qualifier: key[familyEnd:end], Value: value, Timestamp: binary.BigEndian.Uint64(key[end:])})
}

// cutter cuts bytes off; ok is false once there were too few.
type cutter struct {
	rest []byte
	ok   bool
}

func (c *cutter) take(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.ok, c.rest = false, nil
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cutter) uvarint() int {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 || v > maxReadBytes {
		c.ok, c.rest = false, nil
		return 0
	}
	c.rest = c.rest[n:]
	return int(v)
}

// unpack appends a block's body without its compression. The result has the given number of bytes.
func (r *reader) unpack(dst, body []byte, size int) ([]byte, error) {
	var err error
	switch r.compression {
	case Uncompressed:
		dst = append(dst, body...)
	case Snappy:
		dst, err = unpackChunks(dst, body, size, decodeSnappy)
	case Zstd:
		var z *zstd.Decoder
		if z, err = r.decoder(); err == nil {
			dst, err = unpackChunks(dst, body, size, func(chunk []byte) ([]byte, error) { return z.DecodeAll(chunk, nil) })
		}
	case Gzip:
		dst, err = unpackGzip(dst, body, size)
	default:
		err = fmt.Errorf("%v cannot be read", r.compression)
	}
	if err == nil && len(dst) != size {
		err = fmt.Errorf("it has %d bytes, not %d", len(dst), size)
	}
	return dst, err
}

func (r *reader) decoder() (_ *zstd.Decoder, err error) {
	if r.zstd == nil {
		r.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(chunkBytes))
	}
	return r.zstd, err
}

// unpackChunks is the inverse of packer.appendChunks.
func unpackChunks(dst, body []byte, size int, decode func(chunk []byte) ([]byte, error)) ([]byte, error) {
	c := cutter{rest: body, ok: true}
	if total := c.take(4); !c.ok || int(binary.BigEndian.Uint32(total)) != size {
		return nil, errors.New("its length is another")
	}
	for len(c.rest) > 0 {
		length := c.take(4)
		if !c.ok {
			return nil, io.ErrUnexpectedEOF
		}
		chunk := c.take(int(binary.BigEndian.Uint32(length)))
		if !c.ok {
			return nil, io.ErrUnexpectedEOF
		}
		plain, err := decode(chunk)
		if err != nil {
			return nil, err
		}
		if len(dst)+len(plain) > size {
			return nil, errors.New("its chunks are longer than the block")
		}
		dst = append(dst, plain...)
	}
	return dst, nil
}

// decodeSnappy decompresses a chunk.
func decodeSnappy(chunk []byte) ([]byte, error) {
	if n, err := snappy.DecodedLen(chunk); err != nil || n > chunkBytes {
		return nil, errors.New("it is not a chunk of snappy")
	}
	return snappy.Decode(nil, chunk)
}

func unpackGzip(dst, body []byte, limit int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	return append(dst, plain...), errors.Join(err, z.Close())
}
