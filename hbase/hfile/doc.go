// Package hfile writes HBase's store files (HFile version 3), which a server takes as they are: a
// bulk load.
//
// A [Writer] writes the Put cells of one column family, in order, to an io.Writer. It knows neither
// HDFS nor HBase's protocol. It rejects cells that are out of order, because a server does not check
// them, and a scan of such a file would miss rows.
//
// A file is
//
//	data blocks, with leaf blocks of the index between them | intermediate blocks of the index |
//	root of the index | index of meta blocks, which is empty | file info | trailer of 4,096 bytes
//
// Numbers are big-endian. Every block has a header, and a CRC32C for each 16 KiB. There is no Bloom
// filter, as the tables that sluice creates have none, and there are neither tags nor MVCC versions.
package hfile
