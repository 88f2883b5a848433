package print

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// avroBlockBytes is the size of a block before compression.
const avroBlockBytes = 64 << 10

// The codecs of an Avro container file.
const (
	AvroZstandard = "zstandard" // Avro 1.9 and later, fastavro with its package zstandard
	AvroDeflate   = "deflate"   // every reader
	AvroNull      = "null"      // not compressed
)

// container writes an Avro object container file: a header with the schema, then blocks of records,
// each compressed and followed by the sync marker.
//
// The blocks of the header's map and of the file have positive counts. Avro also allows a negative
// count followed by the block's size in bytes, which some readers (polars) reject.
type container struct {
	w        io.Writer
	sync     [16]byte
	records  int64
	block    []byte // records not yet written
	compress func(dst, block []byte) ([]byte, error)
	packed   []byte
	out      []byte
}

// newContainer writes the header to w.
func newContainer(w io.Writer, schema, codec string) (*container, error) {
	codec = cmp.Or(codec, AvroZstandard)
	compress, err := avroCodec(codec)
	if err != nil {
		return nil, fmt.Errorf("print: avro: %w", err)
	}
	c := &container{w: w, compress: compress}
	rand.Read(c.sync[:]) // never returns an error
	header := binary.AppendVarint([]byte("Obj\x01"), 2)
	for _, s := range []string{"avro.codec", codec, "avro.schema", schema} {
		header = append(binary.AppendVarint(header, int64(len(s))), s...)
	}
	header = binary.AppendVarint(header, 0) // the end of the map
	return c, write(w, append(header, c.sync[:]...))
}

// avroCodec returns a function that appends a compressed block.
func avroCodec(codec string) (func(dst, block []byte) ([]byte, error), error) {
	switch codec {
	case AvroZstandard:
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return nil, err
		}
		return func(dst, block []byte) ([]byte, error) { return z.EncodeAll(block, dst), nil }, nil
	case AvroDeflate:
		var b bytes.Buffer
		z, err := flate.NewWriter(&b, flate.DefaultCompression)
		if err != nil {
			return nil, err
		}
		return func(dst, block []byte) ([]byte, error) {
			b.Reset()
			z.Reset(&b)
			if _, err := z.Write(block); err != nil {
				return dst, err
			}
			err := z.Close()
			return append(dst, b.Bytes()...), err
		}, nil
	case AvroNull:
		return func(dst, block []byte) ([]byte, error) { return append(dst, block...), nil }, nil
	}
	return nil, fmt.Errorf("codec %q is not known: use zstandard, deflate or null", codec)
}

// end completes a record that was appended to c.block.
func (c *container) end() error {
	c.records++
	if len(c.block) < avroBlockBytes {
		return nil
	}
	return c.flush()
}

// flush writes the buffered records as one block.
func (c *container) flush() error {
	if c.records == 0 {
		return nil
	}
	packed, err := c.compress(c.packed[:0], c.block)
	if err != nil {
		return fmt.Errorf("print: avro: compress a block: %w", err)
	}
	c.packed = packed
	c.out = binary.AppendVarint(c.out[:0], c.records)
	c.out = binary.AppendVarint(c.out, int64(len(packed)))
	c.out = append(append(c.out, packed...), c.sync[:]...)
	c.records, c.block = 0, c.block[:0]
	return write(c.w, c.out)
}
