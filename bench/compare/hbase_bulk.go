package compare

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"sluice/hbase"
	"sluice/hbase/bulkload"
	"sluice/hdfs"
)

// bulk loads all rows as files.
func (c *hbaseChild) bulk(ctx context.Context, table *hbase.Table) (r hbaseReply, err error) {
	dir, err := os.MkdirTemp("", "bulk-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	loader, err := table.BulkLoader(ctx, bulkload.Options{Dir: dir, OpenStaging: openStaging, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, loader.Close()) }()
	source, err := openRows(c.log, c.format, table.Layout())
	if err != nil {
		return r, err
	}
	return write(ctx, loader, source)
}

// staging is a directory in a cluster without Kerberos.
type staging struct{ *hdfs.Archive }

// Token implements bulkload.Staging.
func (staging) Token(context.Context) (*bulkload.DelegationToken, error) { return nil, nil }

func openStaging(uri string) (bulkload.Staging, error) {
	authority, root, err := hdfs.SplitURL(uri)
	if err != nil {
		return nil, err
	}
	cluster, err := hdfs.Locate(authority)
	if err != nil {
		return nil, err
	}
	opened, err := hdfs.Open(cluster, root, hdfs.Options{Owner: "load", Permissions: 0o777, Uploads: 4, Wait: clusterWait})
	return staging{opened}, err
}
