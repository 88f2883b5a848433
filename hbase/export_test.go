package hbase

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
)

// Name returns the table's name.
func Name(t *Table) string { return t.url.Table }

func (t *Table) admin() *Admin { return &Admin{url: t.url, cluster: t.cluster, retries: t.retries} }

// MetaServer is the address of the meta table's server.
func MetaServer(ctx context.Context, u URL) (string, error) {
	z := region.NewZooKeeper(u.addresses(), u.Root, 10*time.Second, slog.New(slog.DiscardHandler))
	server, err := z.Meta(ctx)
	return server.Address(), errors.Join(err, z.Close())
}

// Split splits the region of a key.
func Split(ctx context.Context, t *Table, key []byte) error { return t.admin().Split(ctx, key) }

// Move moves the region of a key to any other server.
func Move(ctx context.Context, t *Table, key []byte) error { return t.admin().Move(ctx, key) }

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
		param = protobuf.AppendBytes(param, 1, encoded(r))
	}
	return t.admin().procedure(ctx, "MergeTableRegions", protobuf.AppendBool(param, 3, true))
}
