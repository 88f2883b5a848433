package hbase

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"sluice/hbase/region"
	"sluice/hbase/wire"
)

// Name is the table's.
func Name(t *Table) string { return t.url.Table }

func (t *Table) admin() *Admin { return &Admin{url: t.url, cluster: t.cluster, troubles: t.troubles} }

// MetaServer is the address of the meta table's server.
func MetaServer(ctx context.Context, u URL) (string, error) {
	z := region.NewZooKeeper(u.addresses(), u.Root, time.Second, slog.New(slog.DiscardHandler))
	server, err := z.Meta(ctx)
	return server.Address(), errors.Join(err, z.Close())
}

// Split splits a region at a key.
func Split(ctx context.Context, t *Table, key []byte) error {
	r, err := locate(ctx, t.cluster, t.cluster.Table(t.url.Table), key)
	if err != nil {
		return err
	}
	id, _, _ := bytes.Cut(r.Name[bytes.LastIndexByte(r.Name, ',')+1:], []byte("."))
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil {
		return err
	}
	info := wire.AppendBytes(wire.AppendUint(nil, 1, n), 2, tableName(t.url.Table))
	info = wire.AppendBytes(wire.AppendBytes(info, 3, r.Start), 4, r.End)
	return t.admin().procedure(ctx, "SplitRegion", wire.AppendBytes(wire.AppendBytes(nil, 1, info), 2, key))
}

// Merge merges the region of a key with the next one.
func Merge(ctx context.Context, t *Table, key []byte) error {
	fresh := t.cluster.Table(t.url.Table)
	a, err := locate(ctx, t.cluster, fresh, key)
	if err != nil {
		return err
	}
	b, err := locate(ctx, t.cluster, fresh, a.End)
	if err != nil {
		return err
	}
	var param []byte
	for _, r := range []*region.Region{a, b} {
		param = wire.AppendBytes(param, 1, encoded(r))
	}
	return t.admin().procedure(ctx, "MergeTableRegions", wire.AppendBool(param, 3, true))
}

// Move moves the region of a key to any other server.
func Move(ctx context.Context, t *Table, key []byte) error {
	r, err := locate(ctx, t.cluster, t.cluster.Table(t.url.Table), key)
	if err != nil {
		return err
	}
	_, err = t.admin().call(ctx, "MoveRegion", wire.AppendBytes(nil, 1, encoded(r)))
	return err
}

// encoded is how the master wants a region named: by its hash, type 2.
func encoded(r *region.Region) []byte {
	name := bytes.TrimSuffix(r.Name, []byte("."))
	return wire.AppendBytes(wire.AppendUint(nil, 1, 2), 2, name[bytes.LastIndexByte(name, '.')+1:])
}
