// Package segment implements the append-only gzip file that is the collector's
// spool file and, once sealed, the archive file.
//
// A segment is a concatenation of members, one a batch. Each is a complete gzip
// member (RFC 1952), so zcat, Java's GZIPInputStream and Hadoop's GzipCodec read
// the whole as one file of lines. The member's extra field describes the
// batch and has the length of the member, so that a scan goes from header to
// header without inflating. The 62 bytes of a header:
//
//	 0  1f 8b 08 04    gzip, deflate, FEXTRA and nothing else
//	 4  0 (4)          MTIME: none, the same batch gives the same bytes
//	 8  0, 255         XFL, OS unknown
//	10  50 (2, LE)     XLEN; more if the stream's entry follows
//	12  'S' 'L'        the subfield's id
//	14  46 (2, LE)     the subfield's length; all below is big-endian
//	16  version (1)    1
//	17  flags (1)      bit 0: the log's last line has no newline, one was added;
//	                   bit 1: the stream's entry follows
//	18  stream (8)     schema.StreamID
//	26  start (8)      the range's start in the stream, bytes
//	34  end (8)        the range's end
//	42  lines (4)      lines in the range
//	46  length (4)     the whole member: header, deflate data, trailer
//	50  synced (8)     how many bytes of this file were on disk when the member was written
//	58  check (4)      CRC-32C of bytes 0 to 57
//
// A stream's first member in a segment carries its entry: host, path, format, zone
// and labels (entry.go). So an archive can be read, and replayed into a table, when
// table and checkpoint are gone.
//
// The trailer's CRC32 and ISIZE check the lines. The field check covers the header;
// without it a flipped bit in a range would not be detected. With the field synced
// [Recover] distinguishes a torn tail, which it truncates, from damage in bytes that
// have been acknowledged, which it never changes.
//
// The states of a segment: [Create] creates NAME.gz.open, [Writer.Append] and
// [Writer.Sync] fill it, and [Writer.Seal] renames it to NAME.gz, after which it is
// not changed. A NAME.gz.open that a crash left is repaired by [Recover] and sealed
// by [Seal]. It is not appended to, so every segment has only one writer.
package segment
