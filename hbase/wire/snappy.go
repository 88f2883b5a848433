package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/snappy"
)

// chunkBytes is the size of a compressed chunk: a server's buffer for one chunk is 256 KB, and
// snappy may need more than its input.
const chunkBytes = 192 << 10

// AppendSnappy appends a cell block as Hadoop's SnappyCodec writes it: u32 raw length | u32
// compressed length | snappy, repeated.
func AppendSnappy(dst []byte, pieces [][]byte) []byte {
	var chunk []byte
	for _, piece := range pieces {
		for len(piece) > 0 {
			n := min(len(piece), chunkBytes-len(chunk))
			chunk, piece = append(chunk, piece[:n]...), piece[n:]
			if len(chunk) == chunkBytes {
				dst, chunk = appendChunk(dst, chunk), chunk[:0]
			}
		}
	}
	if len(chunk) > 0 {
		dst = appendChunk(dst, chunk)
	}
	return dst
}

func appendChunk(dst, chunk []byte) []byte {
	packed := snappy.Encode(nil, chunk)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(chunk)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(packed)))
	return append(dst, packed...)
}

// ReadSnappy is the inverse of AppendSnappy. It rejects a block of more than maxBytes. One raw
// length may be followed by several compressed chunks.
func ReadSnappy(block []byte, maxBytes int) ([]byte, error) {
	var raw []byte
	for len(block) > 0 {
		if len(block) < 4 {
			return nil, fmt.Errorf("%w: a snappy block cut off", ErrMalformed)
		}
		end := uint64(len(raw)) + uint64(binary.BigEndian.Uint32(block))
		if end > uint64(maxBytes) {
			return nil, fmt.Errorf("%w: a snappy block of more than %d bytes", ErrMalformed, maxBytes)
		}
		for block = block[4:]; uint64(len(raw)) < end; {
			if len(block) < 4 || uint64(binary.BigEndian.Uint32(block)) > uint64(len(block)-4) {
				return nil, fmt.Errorf("%w: a snappy chunk cut off", ErrMalformed)
			}
			packed := block[4 : 4+binary.BigEndian.Uint32(block)]
			block = block[4+len(packed):]
			n, err := snappy.DecodedLen(packed)
			if err != nil || n == 0 || uint64(len(raw)+n) > end {
				return nil, fmt.Errorf("%w: a snappy chunk of another length than its block says", ErrMalformed)
			}
			chunk, err := snappy.Decode(nil, packed)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			raw = append(raw, chunk...)
		}
	}
	return raw, nil
}
