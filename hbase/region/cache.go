package region

import (
	"bytes"
	"context"
	"sort"
	"sync"

	"sluice/hbase/rpc"
)

// Table is the cache of one table's regions. It is safe for concurrent use.
type Table struct {
	cluster *Cluster
	name    string
	asking  chan struct{} // held by the caller that reads the meta table

	mu      sync.RWMutex
	regions []*Region // in the order of their keys, without overlaps
}

// Table returns an empty cache of the table's regions.
func (c *Cluster) Table(name string) *Table {
	return &Table{cluster: c, name: name, asking: make(chan struct{}, 1)}
}

// Name is the table's name, with its namespace if it has one.
func (t *Table) Name() string { return t.name }

// Known returns the cached region of a key, or nil.
func (t *Table) Known(key []byte) *Region {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if i := t.after(key); i > 0 && t.regions[i-1].Has(key) {
		return t.regions[i-1]
	}
	return nil
}

// after is the index of the first region that begins after the key.
func (t *Table) after(key []byte) int {
	return sort.Search(len(t.regions), func(i int) bool { return bytes.Compare(t.regions[i].Start, key) > 0 })
}

// Locate returns the region of a key. It reads the meta table once if necessary; of several callers
// one reads it.
func (t *Table) Locate(ctx context.Context, key []byte) (*Region, error) {
	if r := t.Known(key); r != nil {
		return r, nil
	}
	select {
	case t.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.asking }()
	if r := t.Known(key); r != nil {
		return r, nil
	}
	r, err := t.cluster.lookup(ctx, t.name, key)
	if err != nil {
		return nil, err
	}
	t.insert(r)
	return r, nil
}

// insert adds a region, and removes those that it overlaps.
func (t *Table) insert(r *Region) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := make([]*Region, 0, len(t.regions)+1)
	for _, o := range t.regions {
		before := len(o.End) > 0 && bytes.Compare(o.End, r.Start) <= 0
		behind := len(r.End) > 0 && bytes.Compare(o.Start, r.End) >= 0
		if before || behind {
			kept = append(kept, o)
		}
	}
	t.regions = kept
	i := t.after(r.Start)
	t.regions = append(t.regions, nil)
	copy(t.regions[i+1:], t.regions[i:])
	t.regions[i] = r
}

// Drop removes a region that has moved; a newer one of the same keys is kept.
func (t *Table) Drop(r *Region) { t.replace(r, nil) }

// Moved sets the server of a region to the one that its former server named, unless it was changed
// since. Only the first such information is used: servers keep for two minutes where a region went,
// so if it moved back and forth, and was split after that, each of two would refer to the other.
// The meta table is read instead.
func (t *Table) Moved(r *Region, to rpc.Server) {
	if r.redirected {
		t.Drop(r)
		return
	}
	moved := *r
	moved.Server, moved.redirected = to, true
	t.replace(r, &moved)
}

func (t *Table) replace(old, now *Region) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range t.regions {
		if r != old {
			continue
		}
		regions := append([]*Region(nil), t.regions[:i]...)
		if now != nil {
			regions = append(regions, now)
		}
		t.regions = append(regions, t.regions[i+1:]...)
		return
	}
}
