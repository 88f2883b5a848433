package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sluice/hbase"
	"sluice/hbase/bulkload"
	"sluice/hdfs"
	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// loadFlags say how rows get into a table in HBase.
type loadFlags struct {
	Load string `default:"auto" enum:"auto,put,bulk" help:"How rows are written to a table in HBase: put sends them to the region servers; bulk writes files that the servers take as they are (a bulk load), which costs them much less; auto is bulk for large logs, and put otherwise, into a replicated table, and where a bulk load is not possible."`
}

// check rejects --load bulk where it would have no effect.
func (f loadFlags) check(onHBase, ends bool) error {
	switch {
	case f.Load != loadBulk:
		return nil
	case !onHBase:
		return usage("--load bulk is for a table in HBase\nhint: name it with --table hbase://…, or leave out --load")
	case !ends:
		return usage("--load bulk is for --once, --from-archive and --repair: rows of followed logs are written with Put\nhint: leave out --load, or give --once")
	}
	return nil
}

const (
	loadAuto = "auto"
	loadPut  = "put"
	loadBulk = "bulk"
)

// commitBytes of log are stored at a time by a run that loads files: each commit loads a file a region.
const commitBytes = 4 << 30

// minLoadBytes is the size of a region's rows below which auto writes them with Put.
const minLoadBytes = 1 << 20

// compressionRatio is that of access logs, for an estimate: gzip makes them 7 to 10 times smaller.
const compressionRatio = 8

// unread is the number of bytes of the logs that are not stored yet. That of a compressed log is an
// estimate, because its size before compression is only known when it was read, and 0 if a part of
// it is stored: most are stored completely, and of the others the rows that are put are counted.
func unread(logs []logfile.Log, saved *checkpoint.File) (total int64) {
	stored := map[logfile.ID]int64{}
	for _, s := range saved.Streams() {
		for _, id := range s.Files {
			stored[id] = max(stored[id], saved.Stored(s))
		}
	}
	for _, l := range logs {
		info, err := os.Stat(l.Path)
		if err != nil {
			continue
		}
		size := info.Size()
		if l.Compressed() {
			if stored[l.ID] > 0 {
				continue
			}
			size *= compressionRatio
		}
		total += max(0, size-stored[l.ID])
	}
	return total
}

// loadedTable is a table in HBase whose rows are written by bulk loads as soon as these pay: when it is
// expected, or found, that there are rows enough.
type loadedTable struct {
	*hbase.Table
	tables     *hbaseTables
	url        string
	load       string
	regions    int
	replicated bool // to peers, which may not get loaded rows

	mu       sync.Mutex // held by calls of Put until it is decided
	expected int64      // bytes of log
	put      int64      // bytes of rows
	loader   atomic.Pointer[bulkload.Loader]
	failed   atomic.Bool // loading is not possible, or not safe with auto
}

// load opens a table in HBase for writing, by bulk loads where the flags ask for them.
func (o *hbaseTables) load(t tableFlags, layout *schema.Layout, flags loadFlags) (table, error) {
	opened, err := o.write(t, layout, false)
	rows, ok := opened.(*hbase.Table)
	if err != nil || !ok {
		return opened, err
	}
	// This run may have too few rows for a bulk load, which would do it.
	o.sweepLoads(o.ctx, rows)
	if flags.Load == loadPut {
		return opened, nil
	}
	x := &loadedTable{Table: rows, tables: o, url: t.Table, load: flags.Load, replicated: rows.Replicated()}
	if x.regions, err = rows.Regions(o.ctx); err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	return x, nil
}

// loadDir is the directory for files that are not loaded yet.
func (o *hbaseTables) loadDir() string { return filepath.Join(o.cli.Data, "load") }

// expect says that rows of so many bytes of log follow, and returns whether they are loaded.
func (t *loadedTable) expect(bytes int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expected = max(t.expected, bytes)
	return t.mayLoad()
}

// mayLoad reports whether rows are loaded from now on. auto does not load into a replicated table:
// the servers confirm such a load also if the peers do not get its rows.
func (t *loadedTable) mayLoad() bool {
	if t.failed.Load() || !t.pays() {
		return false
	}
	if t.load == loadBulk || !t.replicated {
		return true
	}
	t.failed.Store(true)
	t.tables.log.Warn("bulk load not used, rows are written with Put", "table", t.url, "reason",
		"the column family is replicated (REPLICATION_SCOPE), and its peers get loaded rows only if the servers have hbase.replication.bulkload.enabled; --load bulk loads nevertheless")
	return false
}

func (t *loadedTable) pays() bool {
	return t.load == loadBulk || bulkload.Worth(max(t.expected, t.put), t.regions)
}

// Put implements collector.Table.
func (t *loadedTable) Put(ctx context.Context, rows *schema.Rows) error {
	if t.loader.Load() == nil && !t.failed.Load() {
		if err := t.decide(ctx, rows); err != nil {
			return err
		}
	}
	if l := t.loader.Load(); l != nil {
		return l.Put(ctx, rows)
	}
	return t.Table.Put(ctx, rows)
}

// decide counts rows, and opens the loader when they are enough.
func (t *loadedTable) decide(ctx context.Context, rows *schema.Rows) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range rows.Len() {
		for _, c := range rows.Cells(i) {
			t.put += int64(len(c.Value))
		}
	}
	if t.loader.Load() != nil || !t.mayLoad() {
		return nil
	}
	least := minLoadBytes
	if t.load == loadBulk {
		least = 0
	}
	l, err := t.BulkLoader(ctx, bulkload.Options{
		Dir: t.tables.loadDir(), OpenStaging: t.tables.openStaging, MinFileBytes: least, Logger: t.tables.log,
	})
	switch {
	case err == nil:
		t.loader.Store(l)
	case ctx.Err() != nil:
		return err
	default:
		t.failed.Store(true)
		t.tables.log.Warn("bulk load not possible, rows are written with Put", "table", t.url, "reason", err)
	}
	return nil
}

// Flush implements collector.Table.
func (t *loadedTable) Flush(ctx context.Context) error {
	if l := t.loader.Load(); l != nil {
		return l.Flush(ctx)
	}
	return t.Table.Flush(ctx)
}

// Close closes the loader and the table.
func (t *loadedTable) Close() error {
	var err error
	if l := t.loader.Load(); l != nil {
		err = l.Close()
	}
	return errors.Join(err, t.Table.Close())
}

// staging is a staging directory in HDFS.
type staging struct {
	*hdfs.Archive
	mu    sync.Mutex
	token *hdfs.Token // the last one
}

// maxTokenAge is a part of the day that a name node's tokens are valid by default.
const maxTokenAge = time.Hour

// Token implements bulkload.Staging.
func (s *staging) Token(ctx context.Context) (*bulkload.DelegationToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == nil || time.Since(s.token.Fetched) > maxTokenAge {
		fetched, err := s.Archive.Token(ctx)
		if err != nil || fetched == nil {
			return nil, err
		}
		s.token = fetched
	}
	t := s.token
	return &bulkload.DelegationToken{Identifier: t.Identifier, Password: t.Password, Kind: t.Kind, Service: t.Service}, nil
}

// stagingPermissions: the user of the region servers must be able to move files.
const stagingPermissions = 0o777

// openStaging opens the staging directory of a URI. HDFS is not connected yet.
func (o *hbaseTables) openStaging(uri string) (bulkload.Staging, error) {
	if !isHDFS(uri) {
		return nil, fmt.Errorf("it is not in HDFS")
	}
	_, root, err := hdfs.SplitURL(uri)
	if err != nil {
		return nil, err
	}
	opened, err := o.trees.openHDFS("--table: staging directory", uri, root, hdfs.Options{
		Owner: "load", Permissions: stagingPermissions, Uploads: 4, Wait: o.cli.retryLimit(false),
	})
	if err != nil {
		return nil, err
	}
	return &staging{Archive: opened}, nil
}
