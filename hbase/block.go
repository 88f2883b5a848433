package hbase

import (
	"encoding/binary"
	"fmt"

	"sluice/hadoop/protobuf"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
)

// block is whole rows of one range, in order.
type block struct {
	response *rpc.Response // owns the cells' memory; nil if they are copies
	rows     [][]byte      // each row's cells
	end      bool          // the range was read to its end
}

func (b *block) release() {
	if b.response != nil {
		b.response.Release()
	}
}

// scanResponse is the part of a ScanResponse that is used.
type scanResponse struct {
	counts            []int // number of cells of each result
	partial           []bool
	scanner           uint64
	moreResults       bool
	moreInRegion      bool
	heartbeat         bool
	saysMoreInRegion  bool
	resultsInMessages bool
}

func parseScan(message []byte) (s scanResponse, err error) {
	s.moreResults = true
	f := protobuf.Read(message)
	for f.Next() {
		switch f.Number {
		case 1:
			f.Uints(func(n uint64) { s.counts = append(s.counts, int(uint32(n))) })
		case 2:
			s.scanner = f.Uint
		case 3:
			s.moreResults = f.Bool()
		case 5:
			s.resultsInMessages = true
		case 7:
			f.Uints(func(n uint64) { s.partial = append(s.partial, n != 0) })
		case 8:
			s.moreInRegion, s.saysMoreInRegion = f.Bool(), true
		case 9:
			s.heartbeat = f.Bool()
		}
	}
	if f.Err == nil && s.resultsInMessages {
		return s, fmt.Errorf("%w: cells inside of the message", wire.ErrMalformed)
	}
	return s, f.Err
}

// cutRow splits off the cells of one row without decoding them.
func cutRow(cells []byte, count int) (row, rest []byte, err error) {
	end := 0
	for range count {
		if len(cells)-end < 4 {
			return nil, nil, fmt.Errorf("%w: a block ends before its last row", wire.ErrMalformed)
		}
		n := binary.BigEndian.Uint32(cells[end:])
		if uint64(n) > uint64(len(cells)-end-4) {
			return nil, nil, fmt.Errorf("%w: a block ends before its last row", wire.ErrMalformed)
		}
		end += 4 + int(n)
	}
	return cells[:end:end], cells[end:], nil
}

// rowKey is the key of a row's first cell.
func rowKey(row []byte) ([]byte, error) {
	p, err := wire.FirstCell(row)
	if err != nil {
		return nil, err
	}
	return row[wire.RowAt:p.Row:p.Row], nil
}
