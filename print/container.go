package print

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

// avroBlockBytes is how much of a container file is compressed at a time.
const avroBlockBytes = 64 << 10

// container writes an Avro object container file: a header with the schema, then
// blocks of records, each compressed with deflate and followed by the sync marker.
//
// The blocks of the header's map and of the file all have positive counts. Avro also
// allows a negative count followed by the block's size in bytes, which some readers
// (polars among them) refuse.
type container struct {
	w        io.Writer
	sync     [16]byte
	records  int64
	block    []byte // records not yet written
	deflated bytes.Buffer
	deflate  *flate.Writer
	out      []byte
}

// newContainer writes the header to w.
func newContainer(w io.Writer, schema string) (*container, error) {
	deflate, err := flate.NewWriter(io.Discard, flate.DefaultCompression)
	if err != nil {
		return nil, fmt.Errorf("print: avro: %w", err)
	}
	c := &container{w: w, deflate: deflate}
	rand.Read(c.sync[:]) // never returns an error
	header := binary.AppendVarint([]byte("Obj\x01"), 2)
	for _, s := range []string{"avro.codec", "deflate", "avro.schema", schema} {
		header = append(binary.AppendVarint(header, int64(len(s))), s...)
	}
	header = binary.AppendVarint(header, 0) // the end of the map
	return c, write(w, append(header, c.sync[:]...))
}

// end completes a record that was appended to c.block.
func (c *container) end() error {
	c.records++
	if len(c.block) < avroBlockBytes {
		return nil
	}
	return c.flush()
}

// flush writes the records held back as one block.
func (c *container) flush() error {
	if c.records == 0 {
		return nil
	}
	c.deflated.Reset()
	c.deflate.Reset(&c.deflated)
	if _, err := c.deflate.Write(c.block); err != nil {
		return fmt.Errorf("print: avro: compress a block: %w", err)
	}
	if err := c.deflate.Close(); err != nil {
		return fmt.Errorf("print: avro: compress a block: %w", err)
	}
	c.out = binary.AppendVarint(c.out[:0], c.records)
	c.out = binary.AppendVarint(c.out, int64(c.deflated.Len()))
	c.out = append(append(c.out, c.deflated.Bytes()...), c.sync[:]...)
	c.records, c.block = 0, c.block[:0]
	return write(c.w, c.out)
}
