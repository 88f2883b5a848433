package hbase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"sluice/hbase/bulkload"
	"sluice/hbase/hfile"
	"sluice/schema"
)

// errNoBulkLoad is wrapped by the error for a table that files must not be loaded into.
var errNoBulkLoad = errors.New("its files cannot be written by a client")

// BulkLoader returns a writer of rows as files, which can be used instead of Put and Flush. It must
// be closed before the table. Options.Layout and Options.Compression are set from the table.
func (t *Table) BulkLoader(ctx context.Context, o bulkload.Options) (*bulkload.Loader, error) {
	for _, attribute := range []string{"ENCRYPTION", "IS_MOB"} {
		if value := t.family[attribute]; value != "" && !strings.EqualFold(value, "false") {
			return nil, fmt.Errorf("hbase: %s: %w: its family has %s %s", t.url.Table, errNoBulkLoad, attribute, value)
		}
	}
	if t.layout.Name == schema.LayoutFlume {
		return nil, fmt.Errorf("hbase: %s: %w: rows of the layout %s are for Flume's readers", t.url.Table, errNoBulkLoad, t.layout.Name)
	}
	o.Layout, o.Compression = t.layout, t.compression()
	l, err := bulkload.Open(ctx, t.cluster, t.regions, t.retries, t, o)
	if err != nil {
		return nil, fmt.Errorf("hbase: %s: %w", t.url.Table, err)
	}
	return l, nil
}

// Replicated reports whether the column family is replicated to peer clusters. Peers get loaded rows
// only if the servers have hbase.replication.bulkload.enabled, which is false by default and which
// no call returns.
func (t *Table) Replicated() bool {
	scope := t.family["REPLICATION_SCOPE"]
	return scope != "" && scope != "0"
}

// SweepBulkLoads removes what killed bulk loads into this table left in the directory and in HBase's
// file system, as BulkLoader does.
func (t *Table) SweepBulkLoads(ctx context.Context, dir string, logger *slog.Logger) error {
	if err := bulkload.Sweep(ctx, t.cluster, t.regions, bulkload.Options{Dir: dir, Logger: logger}); err != nil {
		return fmt.Errorf("hbase: %s: %w", t.url.Table, err)
	}
	return nil
}

// compression returns the family's compression, if every server with it reads the files. ZSTD has two
// formats, of which the servers read one, and others are not written here: such files have GZ, which
// needs no library, until they are compacted.
func (t *Table) compression() hfile.Compression {
	switch strings.ToUpper(t.family["COMPRESSION"]) {
	case "", hfile.Uncompressed.String():
		return hfile.Uncompressed
	case hfile.Snappy.String():
		return hfile.Snappy
	}
	return hfile.Gzip
}

// Regions returns the number of the table's regions.
func (t *Table) Regions(ctx context.Context) (n int, err error) {
	err = t.cluster.Retry(ctx, "the regions of "+t.url.Table, func(ctx context.Context) error {
		all, err := t.cluster.Assignments(ctx, t.url.Table)
		n = len(all)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("hbase: regions of %s: %w", t.url.Table, err)
	}
	return n, nil
}
