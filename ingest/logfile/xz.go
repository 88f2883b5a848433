package logfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the container of xz: streams of blocks of LZMA2. The module's own reader accepts a
// file that ends between two blocks as complete, and allocates the dictionary that a block
// requests, up to 4 GiB.
type xzReader struct {
	in     *bufio.Reader
	flags  [2]byte // of the stream; zero after its end
	inside bool    // within a stream
	block  *xzBlock
	// Counts of the stream's blocks, which its index must have too.
	blocks, unpadded, size uint64
}

// xzBlock is the block that is being read.
type xzBlock struct {
	lines      *lzma.Reader2
	in         source // counts the LZMA2 data
	headerSize uint64
	size       uint64
	check      hash.Hash // nil: an unknown check
}

const (
	xzMagic       = "\xfd7zXZ\x00"
	xzFooterMagic = "YZ"
	xzLZMA2       = 0x21
)

// xzCheckSizes are the lengths of a block's check by its number.
var xzCheckSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

var errXZ = errors.New("it is not in xz's format")

func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block == nil {
			if err := x.next(); err != nil {
				return 0, err
			}
		}
		n, err := x.block.lines.Read(p)
		x.block.size += uint64(n)
		if x.block.check != nil {
			x.block.check.Write(p[:n]) //nolint:errcheck // a hash takes all
		}
		if err == io.EOF {
			err = whole(x.endBlock())
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// whole returns io.ErrUnexpectedEOF if the file ends where more must follow.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next begins the next block; io.EOF: the last stream has ended.
func (x *xzReader) next() error {
	for {
		if !x.inside {
			if err := x.openStream(); err != nil {
				return err
			}
		}
		size, err := x.in.ReadByte()
		if err != nil {
			return whole(err)
		}
		if size != 0 {
			return whole(x.openBlock(size))
		}
		if err := x.closeStream(); err != nil {
			return whole(err)
		}
	}
}

// openStream reads the header of a stream, after padding of four NULs each.
func (x *xzReader) openStream() error {
	var b [12]byte
	for {
		if _, err := x.in.Peek(1); err != nil {
			return err
		}
		if _, err := io.ReadFull(x.in, b[:4]); err != nil {
			return whole(err)
		}
		if string(b[:4]) != "\x00\x00\x00\x00" {
			break
		}
	}
	if string(b[:4]) != xzMagic[:4] {
		return errXZ
	}
	if _, err := io.ReadFull(x.in, b[4:]); err != nil {
		return whole(err)
	}
	if string(b[:6]) != xzMagic || b[6] != 0 || b[7] > 15 || crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return errXZ
	}
	x.flags, x.inside = [2]byte{b[6], b[7]}, true
	x.blocks, x.unpadded, x.size = 0, 0, 0
	return nil
}

// openBlock reads a block's header.
func (x *xzReader) openBlock(size byte) error {
	b := make([]byte, (int(size)+1)*4)
	b[0] = size
	if _, err := io.ReadFull(x.in, b[1:]); err != nil {
		return err
	}
	end := len(b) - 4
	if crc32.ChecksumIEEE(b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return errXZ
	}
	header := bytes.NewReader(b[2:end])
	for _, present := range []byte{0x40, 0x80} { // sizes, which are also in the index
		if b[1]&present != 0 {
			if _, err := binary.ReadUvarint(header); err != nil {
				return errXZ
			}
		}
	}
	filter, err := binary.ReadUvarint(header)
	if err != nil {
		return errXZ
	}
	if b[1]&3 != 0 || filter != xzLZMA2 {
		return errors.New("it has a filter other than LZMA2, which is not read")
	}
	var properties [2]byte
	if _, err := io.ReadFull(header, properties[:]); err != nil || properties[0] != 1 {
		return errXZ
	}
	dictionary, err := lzma.DecodeDictCap(properties[1])
	if err != nil {
		return errXZ
	}
	if dictionary > maxWindowBytes {
		return fmt.Errorf("its dictionary of %d MiB is larger than the %d MiB that are allowed", dictionary>>20, maxWindowBytes>>20)
	}
	x.block = &xzBlock{in: source{r: x.in}, headerSize: uint64(len(b)), check: newXZCheck(x.flags[1])}
	x.block.lines, err = lzma.Reader2Config{DictCap: int(max(dictionary, lzma.MinDictCap))}.NewReader2(&x.block.in)
	return err
}

func newXZCheck(number byte) hash.Hash {
	switch number {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		return sha256.New()
	}
	return nil
}

// endBlock reads padding and check of a block.
func (x *xzReader) endBlock() error {
	block := x.block
	x.block = nil
	padding := int(-block.in.read & 3)
	check := xzCheckSizes[x.flags[1]]
	var b [3 + 64]byte
	if _, err := io.ReadFull(x.in, b[:padding+check]); err != nil {
		return err
	}
	if block.check != nil {
		sum := block.check.Sum(nil)
		if x.flags[1] != 10 { // CRCs are little-endian
			for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
				sum[i], sum[j] = sum[j], sum[i]
			}
		}
		if !bytes.Equal(sum, b[padding:padding+check]) {
			return errors.New("the checksum of a block is wrong")
		}
	}
	x.blocks++
	x.unpadded += block.headerSize + uint64(block.in.read) + uint64(check)
	x.size += block.size
	return nil
}

// summed counts and sums what is read of an index, for its checksum and padding.
type summed struct {
	in    *bufio.Reader
	crc   uint32
	bytes uint64
}

func (s *summed) ReadByte() (byte, error) {
	b, err := s.in.ReadByte()
	if err == nil {
		s.crc = crc32.Update(s.crc, crc32.IEEETable, []byte{b})
		s.bytes++
	}
	return b, err
}

// closeStream reads the rest of a stream's index, after its first byte, and its footer.
func (x *xzReader) closeStream() error {
	in := &summed{in: x.in, crc: crc32.ChecksumIEEE([]byte{0}), bytes: 1}
	blocks, err := binary.ReadUvarint(in)
	if err != nil {
		return err
	}
	if blocks != x.blocks {
		return fmt.Errorf("its index has %d blocks, and the file has %d", blocks, x.blocks)
	}
	var unpadded, size uint64
	for range blocks {
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}
		m, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}
		unpadded, size = unpadded+n, size+m
	}
	if unpadded != x.unpadded || size != x.size {
		return errors.New("its index has other sizes than its blocks")
	}
	for in.bytes&3 != 0 {
		if _, err := in.ReadByte(); err != nil {
			return err
		}
	}
	var b [4 + 12]byte
	if _, err := io.ReadFull(x.in, b[:]); err != nil {
		return err
	}
	footer := b[4:]
	if binary.LittleEndian.Uint32(b[:]) != in.crc || crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) ||
		string(footer[10:]) != xzFooterMagic || footer[8] != x.flags[0] || footer[9] != x.flags[1] {
		return errors.New("its index or footer is damaged")
	}
	x.inside = false
	return nil
}
