package hfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// chunkBytes is the maximum size of a chunk before compression: a server's buffers are 256 KiB, and a
// chunk may become larger by compression.
const chunkBytes = 128 << 10

// packer compresses blocks, and keeps the memory for it.
type packer struct {
	compression Compression
	block       []byte
	zstd        *zstd.Encoder
	gzip        *gzip.Writer
	gzipped     bytes.Buffer
}

func newPacker(c Compression) (p packer, err error) {
	p.compression = c
	switch c {
	case Gzip:
		p.gzip, err = gzip.NewWriterLevel(nil, gzip.BestSpeed)
	case Zstd:
		p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(chunkBytes), zstd.WithEncoderCRC(false) /* blocks have checksums */)
	}
	return p, err
}

// pack returns a block with its body compressed, after the same room for a header. It is valid until
// the next call. In a compressed file a server expects every block to be compressed, even where that
// makes it larger.
func (p *packer) pack(block []byte) ([]byte, error) {
	body := block[headerBytes:]
	switch p.compression {
	case Snappy, Zstd:
		p.block = append(p.block[:0], block[:headerBytes]...)
		p.appendChunks(body)
		return p.block, nil
	case Gzip:
		p.gzipped.Reset()
		p.gzipped.Write(block[:headerBytes])
		p.gzip.Reset(&p.gzipped)
		if _, err := p.gzip.Write(body); err != nil {
			return nil, fmt.Errorf("hfile: compress a block: %w", err)
		}
		if err := p.gzip.Close(); err != nil {
			return nil, fmt.Errorf("hfile: compress a block: %w", err)
		}
		return p.gzipped.Bytes(), nil
	}
	return block, nil
}

// appendChunks adds a body to p.block as Hadoop's BlockCompressorStream does: u32 length of the body |
// for each chunk u32 compressed length | the compressed chunk.
func (p *packer) appendChunks(body []byte) {
	b := binary.BigEndian.AppendUint32(p.block, uint32(len(body)))
	for chunk := range slices.Chunk(body, chunkBytes) {
		b = append(b, 0, 0, 0, 0)
		at := len(b)
		if p.compression == Zstd {
			b = p.zstd.EncodeAll(chunk, b)
		} else {
			// snappy.Encode would be s2.EncodeSnappyBetter, which needs twice the CPU for 5 % fewer
			// bytes of a log.
			b = slices.Grow(b, s2.MaxEncodedLen(len(chunk)))
			b = b[:at+len(s2.EncodeSnappy(b[at:cap(b)], chunk))] // in place
		}
		binary.BigEndian.PutUint32(b[at-4:], uint32(len(b)-at))
	}
	p.block = b
}
