package hbase

import (
	"fmt"

	"sluice/hadoop/protobuf"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
)

// multi is a request for rows of several regions of one server, and its response. Its memory is
// reused.
type multi struct {
	request rpc.Request
	action  []byte
}

const mutationPut = 2

// encode encodes the request. The cells are not copied.
func (m *multi) encode(batches []*batch, durability Durability) *rpc.Request {
	m.request.Method = "Multi"
	m.request.Param, m.request.Cells = m.request.Param[:0], m.request.Cells[:0]
	for _, b := range batches {
		a := protobuf.AppendBytes(m.action[:0], 1, b.region.Specifier())
		for i := range b.rows {
			// Action {1 index, 2 MutationProto {2 type, 6 durability, 8 cells that
			// follow}}; the row's key is in the cells.
			var space, inner [24]byte
			mutation := protobuf.AppendUint(space[:0], 2, mutationPut)
			mutation = protobuf.AppendUint(mutation, 6, uint64(durability))
			mutation = protobuf.AppendUint(mutation, 8, uint64(b.rows[i].count))
			action := protobuf.AppendBytes(protobuf.AppendUint(inner[:0], 1, uint64(i)), 2, mutation)
			a = protobuf.AppendBytes(a, 3, action)
		}
		m.action = a
		m.request.Param = protobuf.AppendBytes(m.request.Param, 1, a)
		m.request.Cells = append(m.request.Cells, b.cells)
	}
	return &m.request
}

// outcome is the result of one batch: an error for all of it, or errors of single rows.
type outcome struct {
	err    error
	failed []rowFailure // in the order of the rows
	done   int          // number of written rows
}

type rowFailure struct {
	row int
	err *rpc.RemoteError
}

// parseMulti parses a MultiResponse: results are in the order of the batches.
func parseMulti(message []byte, batches []*batch) ([]outcome, error) {
	outcomes := make([]outcome, 0, len(batches))
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number != 1 {
			continue
		}
		if len(outcomes) == len(batches) {
			return nil, fmt.Errorf("%w: an answer for more regions than were asked for", wire.ErrMalformed)
		}
		o, err := parseRegionResult(f.Bytes, len(batches[len(outcomes)].rows))
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, o)
	}
	if f.Err == nil && len(outcomes) < len(batches) {
		return nil, fmt.Errorf("%w: an answer for %d of %d regions", wire.ErrMalformed, len(outcomes), len(batches))
	}
	return outcomes, f.Err
}

func parseRegionResult(b []byte, rows int) (o outcome, err error) {
	seen := 0
	f := protobuf.Read(b)
	for f.Next() {
		switch f.Number {
		case 1:
			if err := o.add(f.Bytes, rows); err != nil {
				return o, err
			}
			seen++
		case 2:
			e, err := rpc.ParseNested(f.Bytes)
			if err != nil {
				return o, err
			}
			o.err = e
		}
	}
	if f.Err == nil && o.err == nil && seen != rows {
		return o, fmt.Errorf("%w: an answer for %d of %d rows", wire.ErrMalformed, seen, rows)
	}
	return o, f.Err
}

// add parses a ResultOrException.
func (o *outcome) add(b []byte, rows int) error {
	index := uint64(0)
	var nested []byte
	f := protobuf.Read(b)
	for f.Next() {
		switch f.Number {
		case 1:
			index = f.Uint
		case 3:
			nested = f.Bytes
		}
	}
	if f.Err != nil || index >= uint64(rows) {
		return fmt.Errorf("%w: an answer for row %d of %d", wire.ErrMalformed, index, rows)
	}
	if nested == nil {
		o.done++
		return nil
	}
	e, err := rpc.ParseNested(nested)
	o.failed = append(o.failed, rowFailure{int(index), e})
	return err
}
