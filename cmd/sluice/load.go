package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sluice/hbase"
	"sluice/hbase/bulkload"
	"sluice/hdfs"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// loadFlags say how rows get into a table in HBase.
type loadFlags struct {
	Load string `default:"auto" enum:"auto,put,bulk" help:"How rows are written to a table in HBase: put sends them to the region servers; bulk writes files that the servers take as they are (a bulk load), which costs them much less; auto is bulk for large logs, and put otherwise and where a bulk load is not possible."`
}

const (
	loadAuto = "auto"
	loadPut  = "put"
)

// loading is how rows are to be written, and the size of the log that they are made of.
type loading struct {
	loadFlags
	bytes int64
}

// logBytes is the size of logs on disk.
func logBytes(logs []logfile.Log) (total int64) {
	for _, l := range logs {
		if info, err := os.Stat(l.Path); err == nil {
			total += info.Size()
		}
	}
	return total
}

// loadedTable is a table in HBase whose rows are written by bulk loads.
type loadedTable struct {
	*hbase.Table
	loader *bulkload.Loader
}

// Put implements ingest.Table.
func (t *loadedTable) Put(ctx context.Context, rows *schema.Rows) error {
	return t.loader.Put(ctx, rows)
}

// Flush implements ingest.Table.
func (t *loadedTable) Flush(ctx context.Context) error { return t.loader.Flush(ctx) }

// Close closes the loader and the table.
func (t *loadedTable) Close() error { return errors.Join(t.loader.Close(), t.Table.Close()) }

// loadHBase opens a table in HBase for writing, by bulk loads if the flags ask for them.
func (a *app) loadHBase(t tableFlags, layout *schema.Layout, unattended bool, load loading) (table, error) {
	opened, err := a.writeHBase(t, layout, unattended)
	if err != nil || load.Load == loadPut || load.Load == "" {
		return opened, err
	}
	rows := opened.(*hbase.Table)
	if load.Load == loadAuto {
		regions, err := rows.Regions(a.ctx)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		if !bulkload.Worth(load.bytes, regions) {
			return rows, nil
		}
	}
	loader, err := rows.BulkLoader(a.ctx, bulkload.Options{
		Dir: filepath.Join(a.cli.Data, "load"), OpenStaging: a.openStaging, Logger: a.log,
	})
	if err == nil {
		return &loadedTable{rows, loader}, nil
	}
	if a.ctx.Err() != nil {
		return nil, errors.Join(err, rows.Close())
	}
	a.log.Warn("bulk load not possible, rows are written with Put", "table", t.Table, "reason", err)
	return rows, nil
}

// staging is a staging directory in HDFS.
type staging struct{ *hdfs.Archive }

// Token implements bulkload.Staging.
func (staging) Token(context.Context) (*bulkload.DelegationToken, error) { return nil, nil }

// stagingPermissions: the user of the region servers must be able to move files.
const stagingPermissions = 0o777

// openStaging opens the staging directory of a URI. HDFS is not connected yet.
func (a *app) openStaging(uri string) (bulkload.Staging, error) {
	if !isHDFS(uri) {
		return nil, fmt.Errorf("it is not in HDFS")
	}
	_, root, err := hdfs.SplitURL(uri)
	if err != nil {
		return nil, err
	}
	opened, err := a.openHDFS("--table: staging directory", uri, root, hdfs.Options{
		Owner: "load", Permissions: stagingPermissions, Uploads: 4, Wait: a.patience(false),
	})
	if err != nil {
		return nil, err
	}
	return staging{opened}, nil
}
