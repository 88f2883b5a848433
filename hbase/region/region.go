package region

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"sluice/hadoop/protobuf"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
)

var (
	// ErrTableNotFound is returned if the meta table has no region of the table.
	ErrTableNotFound = errors.New("the table does not exist")
	// ErrTableDisabled is returned if the table is disabled.
	ErrTableDisabled = errors.New("the table is disabled")
	// errNotOpen is returned if the meta table has no open region for a key.
	errNotOpen = errors.New("no server has the region open")
)

// Region is a part of a table: the keys Start <= key < End; an empty End is the table's. It is
// immutable.
type Region struct {
	// Name is the full name: table,start,id.encoded.
	Name       []byte
	Start, End []byte
	Server     rpc.Server

	redirected bool // Server was named by another server, not the meta table
}

// Has reports whether the key is in the region.
func (r *Region) Has(key []byte) bool {
	return bytes.Compare(key, r.Start) >= 0 && (len(r.End) == 0 || bytes.Compare(key, r.End) < 0)
}

// Specifier returns the region's specifier for a request.
func (r *Region) Specifier() []byte { return specifier(r.Name) }

func specifier(name []byte) []byte {
	return protobuf.AppendBytes(protobuf.AppendUint(nil, 1, 1), 2, name)
}

var (
	metaRegion = []byte("hbase:meta,,1")
	pbuf       = []byte("PBUF")
)

const (
	lastID     = "99999999999999" // after every region's id, which is a time in ms
	readPread  = 2
	familyInfo = "info"
)

// lookup finds the region of a key in the meta table: its rows are regions' names, and the last row
// that begins no later than the key is its region's.
func (c *Cluster) lookup(ctx context.Context, table string, key []byte) (*Region, error) {
	last := append(append([]byte(table+","), key...), ","+lastID...)
	first := table + ",," // both commas: rows of the meta table are compared part by part
	scan := protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, familyInfo))
	scan = protobuf.AppendBytes(scan, 3, last)
	scan = protobuf.AppendBytes(scan, 4, first)
	scan = protobuf.AppendBool(scan, 15, true) // reversed
	row, err := c.metaRow(ctx, scan)
	if err != nil {
		return nil, err
	}
	if len(row) == 0 {
		return nil, fmt.Errorf("%s: %w", table, ErrTableNotFound)
	}
	r, err := parseRegion(row)
	if err != nil {
		return nil, fmt.Errorf("the meta table's row %q: %w", row[0].Row, err)
	}
	if !r.Has(key) {
		return nil, fmt.Errorf("%w: after %q", errNotOpen, r.Name)
	}
	return r, nil
}

// metaRow returns the first row of a scan of the meta table, nil if there is none. The cells are
// copies.
func (c *Cluster) metaRow(ctx context.Context, scan []byte) ([]wire.Cell, error) {
	return c.metaRows(ctx, scan, 1)
}

// metaRows returns the first rows, at most the given number.
func (c *Cluster) metaRows(ctx context.Context, scan []byte, rows int) ([]wire.Cell, error) {
	// A scan that is not a pread is turned into a stream after some blocks, with a response without
	// rows.
	scan = protobuf.AppendUint(scan, 23, readPread)
	param := protobuf.AppendBytes(nil, 1, specifier(metaRegion))
	param = protobuf.AppendBytes(param, 2, scan)
	param = protobuf.AppendUint(param, 4, uint64(rows))
	param = protobuf.AppendBool(param, 5, true) // one response; the scanner is closed
	param = protobuf.AppendUint(param, 11, uint64(rows))
	response, err := c.metaCall(ctx, &rpc.Request{Method: "Scan", Param: param})
	if err != nil {
		return nil, err
	}
	defer response.Release()
	more := false
	f := protobuf.Read(response.Message)
	for f.Next() {
		if f.Number == 8 {
			more = f.Bool()
		}
	}
	var cells []wire.Cell
	for block := bytes.Clone(response.Cells); len(block) > 0 && f.Err == nil; {
		var cell wire.Cell
		if cell, block, f.Err = wire.CutCell(block); f.Err == nil {
			cells = append(cells, cell)
		}
	}
	if f.Err == nil && len(cells) == 0 && more {
		return nil, fmt.Errorf("%w: the meta table gave no row and says that there are more", errNotOpen)
	}
	return cells, f.Err
}

// parseRegion parses a region's row. With errNotOpen it returns a Region without a server.
func parseRegion(row []wire.Cell) (*Region, error) {
	r := &Region{Name: row[0].Row}
	var info, server []byte
	for _, c := range row {
		switch string(c.Qualifier) {
		case "regioninfo":
			info = c.Value
		case "server":
			server = c.Value
		}
	}
	message, ok := bytes.CutPrefix(info, pbuf)
	if !ok {
		return nil, fmt.Errorf("%w: no regioninfo", wire.ErrMalformed)
	}
	offline := false
	f := protobuf.Read(message)
	for f.Next() {
		switch f.Number {
		case 3:
			r.Start = f.Bytes
		case 4:
			r.End = f.Bytes
		case 5, 6: // offline, split: its daughters are not open yet
			offline = offline || f.Bool()
		}
	}
	switch {
	case f.Err != nil:
		return nil, f.Err
	case offline || len(server) == 0:
		return r, errNotOpen
	}
	host, port, err := net.SplitHostPort(string(server))
	if err == nil {
		r.Server.Host = host
		r.Server.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: server %q", wire.ErrMalformed, server)
	}
	return r, checkServer(r.Server)
}

// CheckEnabled returns ErrTableDisabled for a disabled table: the meta table still has servers for
// its regions, which only report that they do not have them.
func (c *Cluster) CheckEnabled(ctx context.Context, table string) error {
	scan := protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, "table"))
	scan = protobuf.AppendBytes(scan, 3, table)
	scan = protobuf.AppendBytes(scan, 4, table)
	scan = protobuf.AppendBool(scan, 22, true) // include_stop_row
	row, err := c.metaRow(ctx, scan)
	if err != nil {
		return err
	}
	for _, cell := range row {
		f := protobuf.Read(cell.Value)
		for f.Next() {
			if string(cell.Qualifier) == "state" && f.Number == 1 && f.Uint != 0 {
				return fmt.Errorf("%s: %w", table, ErrTableDisabled)
			}
		}
	}
	return nil
}
