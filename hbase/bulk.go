package hbase

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sluice/hbase/bulkload"
	"sluice/hbase/hfile"
)

// ErrNoBulkLoad is wrapped by the error for a table that files must not be loaded into.
var ErrNoBulkLoad = errors.New("its files cannot be written by a client")

// BulkLoader returns a writer of rows as files, which can be used instead of Put and Flush. It must
// be closed before the table. Options.Layout and Options.Compression are set from the table.
func (t *Table) BulkLoader(ctx context.Context, o bulkload.Options) (*bulkload.Loader, error) {
	for _, attribute := range []string{"ENCRYPTION", "IS_MOB"} {
		if value := t.family[attribute]; value != "" && !strings.EqualFold(value, "false") {
			return nil, fmt.Errorf("hbase: %s: %w: its family has %s %s", t.url.Table, ErrNoBulkLoad, attribute, value)
		}
	}
	o.Layout, o.Compression = t.layout, t.compression()
	l, err := bulkload.Open(ctx, t.cluster, t.regions, t.retries, t, o)
	if err != nil {
		return nil, fmt.Errorf("hbase: %s: %w", t.url.Table, err)
	}
	return l, nil
}

// compression returns the family's compression, if a file can have it: the servers have it. Others
// are left to compactions.
func (t *Table) compression() hfile.Compression {
	for _, c := range []hfile.Compression{hfile.Snappy, hfile.Gzip} {
		if strings.EqualFold(t.family["COMPRESSION"], c.String()) {
			return c
		}
	}
	return hfile.Uncompressed
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
