package hbase

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/schema"
)

// Table is a table of a cluster. Its methods are safe for concurrent use, but for
// Close: no other call and no scan may be under way then, and none may follow.
type Table struct {
	url      URL
	layout   schema.Layout
	cluster  *region.Cluster
	regions  *region.Table
	troubles *region.Troubles
	writer   *writer
}

// Trouble is something that is tried again: what, since when, how often, why.
type Trouble = region.Trouble

// Open opens a table that is there, and reads its layout; it asks a cluster that does
// not answer until ctx ends. Errors that a caller may look for are ErrTableNotFound,
// ErrNoLayout and *LayoutError.
func Open(ctx context.Context, url URL, o Options) (*Table, error) {
	a := OpenAdmin(url, o)
	layout, err := a.Layout(ctx)
	if err == nil && o.Layout != nil && !layout.Equal(*o.Layout) {
		err = &LayoutError{url.Table, layout, *o.Layout}
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	t := &Table{url: url, layout: layout, cluster: a.cluster, regions: a.cluster.Table(url.Table), troubles: a.troubles}
	t.writer = newWriter(t.cluster, t.regions, t.troubles, layout, o.withDefaults())
	return t, nil
}

// Layout is the layout that the table was made with.
func (t *Table) Layout() schema.Layout { return t.layout }

// State is what is tried again at the moment, the oldest first: nothing, where all
// is well.
func (t *Table) State() []Trouble { return t.troubles.List() }

// Put sends rows, and keeps nothing of them. It returns when they are on their way,
// or waiting to be: they are durable when the next Flush has returned nil, and a
// scan of this Table sees them. It waits while a server has as much on its way as
// it may have.
//
// A server that fails is tried again until ctx ends; State says so meanwhile. Any
// error but ctx's is for good: the table must be closed, and what was not flushed
// put again.
func (t *Table) Put(ctx context.Context, rows *schema.Rows) error {
	if err := t.writer.put(ctx, rows); err != nil {
		return fmt.Errorf("hbase: put into %s: %w", t.url.Table, err)
	}
	return nil
}

// Flush returns nil when every row of earlier Puts is durable, or was refused and
// taken by Options.Refused. Errors are as Put's.
func (t *Table) Flush(ctx context.Context) error {
	if err := t.writer.flush(ctx); err != nil {
		return fmt.Errorf("hbase: flush %s: %w", t.url.Table, err)
	}
	return nil
}

// Close ends what is under way. It does not flush.
func (t *Table) Close() error {
	t.writer.close()
	return t.cluster.Close()
}

// locate finds a key's region, however long it takes.
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
