package hdfs

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
)

// chunkBytes is the size of the chunks that HDFS keeps a CRC-32C of; the library uses no other
// size.
const chunkBytes = 512

// castagnoli is immutable.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum computes MD5-of-MD5-of-CRC32C, the checksum of `hdfs dfs -checksum`, of what is written
// to it: the MD5 of the blocks' MD5s, padded with zeros to a power of two of at least 32 bytes,
// where each block's MD5 is that of its chunks' CRCs. Each write but the last must end at the end
// of a chunk.
type checksum struct {
	blockBytes int64
	bytes      int64
	block      hash.Hash
	blocks     []byte
	crcs       []byte
}

func newChecksum(blockBytes int64) *checksum {
	return &checksum{blockBytes: blockBytes, block: md5.New()}
}

func (c *checksum) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p[:min(int64(len(p)), c.blockBytes-c.bytes%c.blockBytes)]
		c.crcs = c.crcs[:0]
		for rest := part; len(rest) > 0; {
			chunk := rest[:min(len(rest), chunkBytes)]
			c.crcs = binary.BigEndian.AppendUint32(c.crcs, crc32.Checksum(chunk, castagnoli))
			rest = rest[len(chunk):]
		}
		c.block.Write(c.crcs)
		c.bytes += int64(len(part))
		if c.bytes%c.blockBytes == 0 {
			c.endBlock()
		}
		p = p[len(part):]
	}
	return n, nil
}

func (c *checksum) endBlock() {
	c.blocks = c.block.Sum(c.blocks)
	c.block.Reset()
}

// sum returns the checksum.
func (c *checksum) sum() []byte {
	if c.bytes%c.blockBytes != 0 {
		c.endBlock()
	}
	padded := 32
	for padded < len(c.blocks) {
		padded *= 2
	}
	sum := md5.Sum(append(c.blocks, make([]byte, padded-len(c.blocks))...))
	return sum[:]
}

// localChecksum computes the checksum of all of r, until ctx ends.
func localChecksum(ctx context.Context, r io.ReaderAt, bytes, blockBytes int64) ([]byte, error) {
	sum := newChecksum(blockBytes)
	err := eachWrite(ctx, r, bytes, func(p []byte) error {
		_, err := sum.Write(p)
		return err
	})
	return sum.sum(), err
}

// eachWrite calls do with the bytes of r, at most writeBytes at a time.
func eachWrite(ctx context.Context, r io.ReaderAt, bytes int64, do func([]byte) error) error {
	buf := make([]byte, writeBytes)
	for at := int64(0); at < bytes; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.ReadAt(buf[:min(writeBytes, bytes-at)], at)
		if int64(n) < min(writeBytes, bytes-at) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF // r was truncated
			}
			return localError{err}
		}
		if err := do(buf[:n]); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
