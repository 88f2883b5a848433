package hfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"sluice/hbase/wire"
)

// ErrOrder is wrapped by the error for a cell that does not sort after the one before it.
var ErrOrder = errors.New("cells out of order")

var errClosed = errors.New("hfile: the file is closed")

// maxCellBytes is the maximum size of a cell: key, value and their lengths. It is the limit that a
// server has for a Put, by default.
const maxCellBytes = 10 << 20

const (
	// A key is u16 row length | row | u8 family length | family | qualifier | u64 timestamp |
	// u8 type, and a cell u32 key length | u32 value length | key | value.
	cellLengthBytes = 4 + 4
	rowLengthBytes  = 2
	timestampBytes  = 8
	keySuffixBytes  = timestampBytes + 1
)

// Summary is the content of a file.
type Summary struct {
	Cells int64
	Bytes int64
	// FirstRow and LastRow are the row keys of the first and the last cell; nil in an empty file.
	FirstRow, LastRow []byte
}

// Writer writes a file. Its methods must not be called concurrently.
type Writer struct {
	out     io.Writer
	options Options
	err     error // of out, permanent

	offset int64 // bytes written
	// previous is the offset of the last block of each kind, -1 without one.
	previous          [blockKinds]int64
	uncompressedBytes int64 // of all blocks with their headers
	firstData         int64 // -1 without one
	packed            packer
	checksums         []byte // of one block
	index             index

	body  []byte // of the open data block, after room for its header
	plain int    // bytes of the open block's cells before encoding; 0 if no block is open

	// key is that of the last cell. Its row ends at rowEnd, its family at familyEnd.
	key               []byte
	rowEnd, familyEnd int
	// valueAt and valueEnd are the last cell's value in body.
	valueAt, valueEnd int

	firstRow                   []byte
	cells                      int64
	keyBytes, valueBytes       int64
	minTimestamp, maxTimestamp uint64
}

// NewWriter returns a Writer to out, which need not be buffered.
func NewWriter(out io.Writer, o Options) (*Writer, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p, err := newPacker(o.Compression)
	if err != nil {
		return nil, fmt.Errorf("hfile: %w", err)
	}
	w := &Writer{out: out, options: o, packed: p, firstData: -1, minTimestamp: 1<<64 - 1}
	for i := range w.previous {
		w.previous[i] = -1
	}
	w.body = make([]byte, headerBytes, headerBytes+o.BlockBytes+o.BlockBytes/8)
	return w, nil
}

// Append adds a Put cell and keeps no reference to its arguments. Cells are in the order of row,
// qualifier and descending timestamp; equal cells are out of order too, since it is not defined which
// one a server shows.
//
// A cell that is rejected, with ErrOrder or for its size, is not in the file, and the Writer can be
// used further. An error of the io.Writer is permanent.
func (w *Writer) Append(row []byte, qualifier string, timestampMillis uint64, value []byte) error {
	if w.err != nil {
		return w.err
	}
	keyLen := rowLengthBytes + len(row) + 1 + len(w.options.Family) + len(qualifier) + keySuffixBytes
	if len(row) == 0 || len(row) > wire.MaxRowBytes || timestampMillis >= wire.Latest || cellLengthBytes+keyLen+len(value) > maxCellBytes {
		return checkCell(row, qualifier, timestampMillis, value)
	}
	shared, sorted := w.shared(row, qualifier, timestampMillis)
	if !sorted {
		return w.orderError(row, qualifier, timestampMillis)
	}
	if w.plain >= w.options.BlockBytes {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	before := lastKey{len(w.key), w.timestamp()}
	w.setKey(row, qualifier, timestampMillis, shared)
	if w.plain == 0 {
		w.beginBlock()
		w.appendFirst(value)
	} else if w.options.Encoding == FastDiff {
		w.appendDifference(before, shared, value)
	} else {
		w.appendWhole(value)
	}
	w.plain += cellLengthBytes + len(w.key) + len(value)
	w.cells++
	w.keyBytes += int64(len(w.key))
	w.valueBytes += int64(len(value))
	w.minTimestamp = min(w.minTimestamp, timestampMillis)
	w.maxTimestamp = max(w.maxTimestamp, timestampMillis)
	return nil
}

// Bytes is the number of bytes written so far. The rows of the open block, and what Close writes, are
// not in it.
func (w *Writer) Bytes() int64 { return w.offset }

// Close writes the rest of the file. It does not close the io.Writer.
func (w *Writer) Close() (Summary, error) {
	if w.err != nil {
		return Summary{}, w.err
	}
	if w.plain > 0 {
		if err := w.endBlock(); err != nil {
			return Summary{}, err
		}
	}
	if err := w.writeEnd(); err != nil {
		return Summary{}, err
	}
	s := Summary{Cells: w.cells, Bytes: w.offset, FirstRow: w.firstRow}
	if w.cells > 0 {
		s.LastRow = append([]byte(nil), w.key[rowLengthBytes:w.rowEnd]...)
	}
	w.err = errClosed
	return s, nil
}

// checkCell returns the error for a cell that HBase would not accept.
func checkCell(row []byte, qualifier string, timestampMillis uint64, value []byte) error {
	switch {
	case len(row) == 0 || len(row) > wire.MaxRowBytes:
		return fmt.Errorf("hfile: a row key of %d bytes: HBase accepts 1 to %d", len(row), wire.MaxRowBytes)
	case timestampMillis >= wire.Latest:
		return fmt.Errorf("hfile: row %.80x has the timestamp %d: a server does not replace it in a file", row, timestampMillis)
	default:
		return fmt.Errorf("hfile: row %.80x has a cell with a qualifier of %d and a value of %d bytes: the maximum of a cell is %d",
			row, len(qualifier), len(value), maxCellBytes)
	}
}

func (w *Writer) orderError(row []byte, qualifier string, timestampMillis uint64) error {
	return fmt.Errorf("hfile: %w: row %.80x, qualifier %.80q, timestamp %d was appended after row %.80x, qualifier %.80q, timestamp %d", ErrOrder,
		row, qualifier, timestampMillis, w.key[rowLengthBytes:w.rowEnd], w.key[w.familyEnd:len(w.key)-keySuffixBytes], w.timestamp())
}

// timestamp is the last cell's, 0 without one.
func (w *Writer) timestamp() uint64 {
	if len(w.key) == 0 {
		return 0
	}
	return binary.BigEndian.Uint64(w.key[len(w.key)-keySuffixBytes:])
}
