package hfile

import (
	"fmt"
	"time"
)

// Encoding is how the cells of a data block are encoded. A server reads each, whatever the column
// family's own encoding, which its next compaction writes.
type Encoding byte

// The encodings, with HBase's names and numbers (class DataBlockEncoding).
const (
	None     Encoding = 0 // whole cells
	FastDiff Encoding = 4 // differences from the cell before
)

func (e Encoding) String() string {
	switch e {
	case None:
		return "NONE"
	case FastDiff:
		return "FAST_DIFF"
	}
	return fmt.Sprintf("encoding %d", byte(e))
}

// Compression is the codec of every block in a file.
type Compression byte

// The codecs. Zstd is the format of HBase's own codec (module hbase-compression-zstd). Servers that
// have Hadoop's native codec instead (hbase.io.compress.zstd.codec) cannot read it, and a file does not
// tell which of the two it needs; such a server rejects the file when it is loaded.
const (
	Uncompressed Compression = iota
	Snappy
	Zstd
	Gzip
)

func (c Compression) String() string {
	switch c {
	case Uncompressed:
		return "NONE"
	case Snappy:
		return "SNAPPY"
	case Zstd:
		return "ZSTD"
	case Gzip:
		return "GZ"
	}
	return fmt.Sprintf("compression %d", byte(c))
}

const (
	defaultBlockBytes = 64 << 10
	minBlockBytes     = 1 << 10
	maxBlockBytes     = 16 << 20
	maxFamilyBytes    = 127 // Java's Byte.MAX_VALUE
)

// Options are the properties of a file. Family and Created are required.
type Options struct {
	// Family is the column family of every cell, of 1 to 127 bytes.
	Family string
	// Encoding is that of the data blocks.
	Encoding Encoding
	// Compression is that of all blocks.
	Compression Compression
	// BlockBytes is the size at which a data block ends, before encoding and compression. 0 is
	// 64 KiB, HBase's default. A cell is never divided.
	BlockBytes int
	// ExcludeFromMinorCompaction leaves the file out of minor compactions, as long as it is not
	// part of a major one.
	ExcludeFromMinorCompaction bool
	// Created is the time of creation in the file info.
	Created time.Time
}

func (o Options) withDefaults() (Options, error) {
	if o.BlockBytes == 0 {
		o.BlockBytes = defaultBlockBytes
	}
	switch {
	case o.Family == "" || len(o.Family) > maxFamilyBytes:
		return o, fmt.Errorf("hfile: a column family of %d bytes: HBase accepts 1 to %d", len(o.Family), maxFamilyBytes)
	case o.Encoding != None && o.Encoding != FastDiff:
		return o, fmt.Errorf("hfile: %v is not supported", o.Encoding)
	case o.Compression > Gzip:
		return o, fmt.Errorf("hfile: %v is not supported", o.Compression)
	case o.BlockBytes < minBlockBytes || o.BlockBytes > maxBlockBytes:
		return o, fmt.Errorf("hfile: blocks of %d bytes: want %d to %d", o.BlockBytes, minBlockBytes, maxBlockBytes)
	case o.Created.UnixMilli() <= 0:
		return o, fmt.Errorf("hfile: created at %v: want a time after 1970", o.Created)
	}
	return o, nil
}
