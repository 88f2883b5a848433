package hfile

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// snappyChunkBytes is what one compressed chunk holds at most: a server's buffers are 256 KiB, and
// snappy may need more than its input.
const snappyChunkBytes = 128 << 10

// packer compresses blocks, and keeps the memory for it.
type packer struct {
	compression Compression
	block       []byte
	gzip        *gzip.Writer
	buffer      bytes.Buffer // of gzip
}

func newPacker(c Compression) (p packer, err error) {
	p.compression = c
	if c == Gzip {
		p.gzip, err = gzip.NewWriterLevel(nil, gzip.BestSpeed)
	}
	return p, err
}

// pack returns a block with its body compressed, behind the same room for a header. It is valid until
// the next call. In a compressed file a server expects every block to be compressed, even where that
// makes it larger.
func (p *packer) pack(block []byte) ([]byte, error) {
	body := block[headerBytes:]
	switch p.compression {
	case Snappy:
		p.block = appendSnappy(append(p.block[:0], block[:headerBytes]...), body)
		return p.block, nil
	case Gzip:
		p.buffer.Reset()
		p.buffer.Write(block[:headerBytes])
		p.gzip.Reset(&p.buffer)
		if _, err := p.gzip.Write(body); err != nil {
			return nil, fmt.Errorf("hfile: compress a block: %w", err)
		}
		if err := p.gzip.Close(); err != nil {
			return nil, fmt.Errorf("hfile: compress a block: %w", err)
		}
		return p.buffer.Bytes(), nil
	}
	return block, nil
}

// appendSnappy adds a body as Hadoop's SnappyCodec writes it: u32 length of the body | for each chunk
// u32 compressed length | snappy.
func appendSnappy(dst, body []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	for len(body) > 0 {
		chunk := body[:min(len(body), snappyChunkBytes)]
		body = body[len(chunk):]
		at := len(dst) + 4
		if need := at + snappy.MaxEncodedLen(len(chunk)); need > cap(dst) {
			dst = append(make([]byte, 0, need+need/4), dst...)
		}
		packed := snappy.Encode(dst[at:cap(dst)], chunk) // in place
		binary.BigEndian.PutUint32(dst[at-4:at], uint32(len(packed)))
		dst = dst[:at+len(packed)]
	}
	return dst
}
