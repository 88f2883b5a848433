package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"sluice/hbase"
	"sluice/ingest/collector"
	"sluice/schema"
)

// storedTable is a table that a collector writes to.
type storedTable interface {
	collector.Table
	Close() error
}

// lazyTable is a table in HBase that is opened in the background, so that a collector accepts lines
// into its spool while HBase is unavailable. The methods of the table may be called only after
// ready is closed.
type lazyTable struct {
	url   string
	began time.Time
	ready chan struct{} // closed when table is there
	done  chan struct{} // closed when opening ended

	mu    sync.Mutex
	table table
	err   error
}

// openLazily starts to open a table and returns at once.
func openLazily(url string, open func() (table, error)) *lazyTable {
	t := &lazyTable{url: url, began: time.Now(), ready: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(t.done)
		x, err := open()
		t.mu.Lock()
		t.table, t.err = x, err
		t.mu.Unlock()
		if err == nil {
			close(t.ready)
		}
	}()
	return t
}

// opened returns the table, or nil while it is not open.
func (t *lazyTable) opened() table {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table
}

// failed waits until the table is open, or cannot be opened: then it returns the error. open itself
// retries temporary failures.
func (t *lazyTable) failed(ctx context.Context) error {
	select {
	case <-t.done:
	case <-ctx.Done():
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil && errors.Is(t.err, context.Canceled) {
		return nil
	}
	return t.err
}

// waitsFor returns the names of what opening the stores may wait for.
func (r *storeFlags) waitsFor() string {
	places := []string{"the spool"}
	if r.Table != "" {
		places = append(places, r.Table)
	}
	if r.Archive != "" {
		places = append(places, r.Archive)
	}
	return strings.Join(places, ", ")
}

// waitOpen waits up to openAtOnce for the table to be opened or to fail, so that an error of the
// user is reported before the start is.
func (t *lazyTable) waitOpen() error {
	select {
	case <-t.done:
	case <-time.After(openAtOnce):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// openAtOnce is how long an available cluster may take to answer.
const openAtOnce = 3 * time.Second

// retryState describes the wait for the table. It returns nil if the table is open.
func (t *lazyTable) retryState() *collector.RetryState {
	if t.opened() != nil {
		return nil
	}
	return &collector.RetryState{What: "table: open", Since: t.began, Attempts: 1, Error: "waiting for " + t.url + " to answer; agents are served from the spool"}
}

// Layout implements collector.Table.
func (t *lazyTable) Layout() schema.Layout { return t.opened().Layout() }

// Put implements collector.Table.
func (t *lazyTable) Put(ctx context.Context, rows *schema.Rows) error {
	return t.opened().Put(ctx, rows)
}

// Flush implements collector.Table.
func (t *lazyTable) Flush(ctx context.Context) error { return t.opened().Flush(ctx) }

// Close closes the table if it was opened.
func (t *lazyTable) Close() error {
	if x := t.opened(); x != nil {
		return x.Close()
	}
	return nil
}

// tableRetries returns the operations that the table retries.
func (s *stores) tableRetries() (retries []collector.RetryState) {
	var x any = s.table
	if lazy, ok := s.table.(*lazyTable); ok {
		if t := lazy.retryState(); t != nil {
			return []collector.RetryState{*t}
		}
		x = lazy.opened()
	}
	if t, ok := x.(interface{ State() []hbase.RetryState }); ok {
		for _, x := range t.State() {
			retries = append(retries, collector.RetryState{What: "table: " + x.What, Since: x.Since, Attempts: x.Attempts, Error: x.Err.Error()})
		}
	}
	return retries
}

// tableReady returns a channel that is closed when the table can be used, or nil if it can be used
// now.
func (s *stores) tableReady() <-chan struct{} {
	if lazy, ok := s.table.(*lazyTable); ok {
		return lazy.ready
	}
	return nil
}

// waiting reports whether the table is not open yet.
func (s *stores) waiting() bool {
	lazy, ok := s.table.(*lazyTable)
	return ok && lazy.opened() == nil
}
