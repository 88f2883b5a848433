package hfile

import (
	"encoding/binary"

	"sluice/hadoop/protobuf"
)

const (
	trailerBytes = 4096
	majorVersion = 3
	minorVersion = 3 // with checksums, and a trailer that is a protobuf message

	// comparator is HBase's order of cells, under the name that every version reads.
	comparator = "org.apache.hadoop.hbase.KeyValue$KVComparator"
)

// codecs are the numbers of HBase's class Compression.Algorithm.
var codecs = map[Compression]uint64{Gzip: 1, Uncompressed: 2, Snappy: 3, Zstd: 6}

// writeEnd writes what is after the data blocks.
func (w *Writer) writeEnd() error {
	root, count, err := w.writeIndex()
	if err != nil {
		return err
	}
	if _, err := w.writeBlock(rootBlock, rootMagic, make([]byte, headerBytes)); err != nil { // of meta blocks
		return err
	}
	info, err := w.writeBlock(infoBlock, infoMagic, w.appendInfo(make([]byte, headerBytes)))
	if err != nil {
		return err
	}
	return w.write(w.appendTrailer(make([]byte, 0, trailerBytes), info, root, count))
}

// appendInfo adds the body of the file info: names and values, of which a server needs most.
func (w *Writer) appendInfo(b []byte) []byte {
	b = append(b, "PBUF"...)
	var message []byte
	add := func(name string, value []byte) {
		pair := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, name), 2, value)
		message = protobuf.AppendBytes(message, 1, pair)
	}
	u32 := func(n int64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	u64 := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	boolean := func(v bool) []byte {
		if v {
			return []byte{0xff}
		}
		return []byte{0}
	}
	created := uint64(w.options.Created.UnixMilli())
	add("BULKLOAD_TIMESTAMP", u64(created))
	if w.options.Encoding != None {
		add("DATA_BLOCK_ENCODING", []byte(w.options.Encoding.String()))
	}
	if w.cells > 0 {
		add("EARLIEST_PUT_TS", u64(w.minTimestamp))
	}
	add("EXCLUDE_FROM_MINOR_COMPACTION", boolean(w.options.ExcludeFromMinorCompaction))
	add("MAJOR_COMPACTION_KEY", boolean(true)) // it has no deletions
	if w.cells > 0 {
		add("TIMERANGE", append(u64(w.minTimestamp), u64(w.maxTimestamp)...))
	}
	add("hfile.AVG_KEY_LEN", u32(w.keyBytes/max(w.cells, 1)))
	add("hfile.AVG_VALUE_LEN", u32(w.valueBytes/max(w.cells, 1)))
	add("hfile.CREATE_TIME_TS", u64(created))
	if w.cells > 0 {
		add("hfile.LASTKEY", w.key)
	}
	return protobuf.AppendDelimited(b, message)
}

// appendTrailer adds the trailer: magic | message | zeros | u32 version.
func (w *Writer) appendTrailer(b []byte, info, root place, rootEntries int) []byte {
	var m []byte
	for i, n := range []uint64{
		uint64(info.offset), uint64(root.offset), uint64(w.index.bytes),
		uint64(w.uncompressedBytes + trailerBytes), uint64(rootEntries), 0 /* meta blocks */, uint64(w.cells), uint64(w.index.levels),
		uint64(w.firstData), uint64(w.previous[dataBlock]),
	} {
		m = protobuf.AppendUint(m, i+1, n)
	}
	m = protobuf.AppendBytes(m, 11, comparator)
	m = protobuf.AppendUint(m, 12, codecs[w.options.Compression])
	b = protobuf.AppendDelimited(append(b, trailerMagic...), m)
	b = append(b, make([]byte, trailerBytes-4-len(b))...)
	return binary.BigEndian.AppendUint32(b, minorVersion<<24|majorVersion)
}
