package hbase

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
)

// Move asks the master to move the region of a key to any other server. It does not wait for the
// move.
func (a *Admin) Move(ctx context.Context, key []byte) error {
	r, err := a.locate(ctx, key)
	if err == nil {
		_, err = a.call(ctx, "MoveRegion", protobuf.AppendBytes(nil, 1, encoded(r)))
	}
	if err != nil {
		return fmt.Errorf("hbase: move a region of %s: %w", a.url.Table, err)
	}
	return nil
}

// Split splits the region of a key, at the key, and waits for the end.
func (a *Admin) Split(ctx context.Context, key []byte) error {
	r, err := a.locate(ctx, key)
	if err != nil {
		return fmt.Errorf("hbase: split a region of %s: %w", a.url.Table, err)
	}
	// The region's name is TABLE,START,ID.HASH. and the master requires the id.
	id, _, _ := bytes.Cut(r.Name[bytes.LastIndexByte(r.Name, ',')+1:], []byte("."))
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil {
		return fmt.Errorf("hbase: split region %q: %w", r.Name, err)
	}
	info := protobuf.AppendBytes(protobuf.AppendUint(nil, 1, n), 2, tableName(a.url.Table))
	info = protobuf.AppendBytes(protobuf.AppendBytes(info, 3, r.Start), 4, r.End)
	if err := a.procedure(ctx, "SplitRegion", protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, info), 2, key)); err != nil {
		return fmt.Errorf("hbase: split region %q: %w", r.Name, err)
	}
	return nil
}

// locate finds the current region of a key.
func (a *Admin) locate(ctx context.Context, key []byte) (*region.Region, error) {
	return locate(ctx, a.cluster, a.cluster.Table(a.url.Table), key)
}

// encoded returns the region's specifier for the master: its hash, type 2.
func encoded(r *region.Region) []byte {
	name := bytes.TrimSuffix(r.Name, []byte("."))
	return protobuf.AppendBytes(protobuf.AppendUint(nil, 1, 2), 2, name[bytes.LastIndexByte(name, '.')+1:])
}
