package hbase

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/retry"
	"sluice/schema"
)

// Table is an open table. Its methods are safe for concurrent use, except Close: no other call or
// scan may be running then, or follow.
type Table struct {
	url     URL
	layout  schema.Layout
	family  map[string]string // attributes of the column family
	cluster *region.Cluster
	regions *region.Table
	retries *retry.Registry
	writer  *writer
}

// RetryState is an operation that is being retried: what, since when, how often, and the last
// error.
type RetryState = retry.State

// Open opens an existing table, and reads its layout; it retries until ctx ends. Errors to check
// for are ErrTableNotFound, ErrNoLayout and *LayoutError.
func Open(ctx context.Context, url URL, o Options) (*Table, error) {
	a := OpenAdmin(url, o)
	layout, d, err := a.describe(ctx)
	if err == nil && o.Layout != nil && !layout.Equal(*o.Layout) {
		err = &LayoutError{url.Table, layout, *o.Layout}
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	t := &Table{url: url, layout: layout, family: d.family, cluster: a.cluster, regions: a.cluster.Table(url.Table), retries: a.retries}
	t.writer = newWriter(t.cluster, t.regions, t.retries, layout, o.withDefaults())
	return t, nil
}

// Layout returns the table's layout.
func (t *Table) Layout() schema.Layout { return t.layout }

// State returns the operations that are being retried, the oldest first.
func (t *Table) State() []RetryState { return t.retries.List() }

// Put sends rows, and keeps no reference to them. It returns when they were sent or are queued:
// they are durable when the next Flush has returned nil, and a scan of this Table sees them. It
// waits while a server has too many bytes in flight.
//
// A call to a failing server is retried until ctx ends; State lists it. Any error but ctx's is
// permanent: the table must be closed, and rows that were not flushed put again.
func (t *Table) Put(ctx context.Context, rows *schema.Rows) error {
	if err := t.writer.put(ctx, rows); err != nil {
		return fmt.Errorf("hbase: put into %s: %w", t.url.Table, err)
	}
	return nil
}

// Flush returns nil when every row of earlier Puts is durable, or was rejected and accepted by
// Options.Refused. Errors are those of Put.
func (t *Table) Flush(ctx context.Context) error {
	if err := t.writer.flush(ctx); err != nil {
		return fmt.Errorf("hbase: flush %s: %w", t.url.Table, err)
	}
	return nil
}

// Close ends running calls. It does not flush.
func (t *Table) Close() error {
	t.writer.close()
	return t.cluster.Close()
}

// locate finds a key's region; it retries until ctx or the limit ends.
func locate(ctx context.Context, c *region.Cluster, t *region.Table, key []byte) (r *region.Region, err error) {
	if r := t.Known(key); r != nil {
		return r, nil
	}
	err = c.Retry(ctx, "a region of "+t.Name(), func(ctx context.Context) error {
		r, err = t.Locate(ctx, key)
		return err
	})
	return r, err
}

func asRemote(err error, remote **rpc.RemoteError) bool { return errors.As(err, remote) }

func inRange(r schema.KeyRange, key []byte) bool {
	return bytes.Compare(key, r.Start) >= 0 && (len(r.Stop) == 0 || bytes.Compare(key, r.Stop) < 0)
}
