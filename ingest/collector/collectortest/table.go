package collectortest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"

	"sluice/schema"
)

// Table keeps rows by key. A crash keeps the rows that were flushed, and some of the others. It is
// safe for concurrent use.
type Table struct {
	// BeforePut is called at the start of each Put, if it is set.
	BeforePut func()

	mu                sync.Mutex
	durable, volatile map[string]string
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{durable: map[string]string{}, volatile: map[string]string{}}
}

// Layout returns a typed layout.
func (f *Table) Layout() schema.Layout {
	return schema.Layout{Name: schema.LayoutTyped, Family: "l", Salts: 3}
}

// Put keeps rows in memory.
func (f *Table) Put(_ context.Context, rows *schema.Rows) error {
	if f.BeforePut != nil {
		f.BeforePut()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range rows.Len() {
		var line string
		for _, c := range rows.Cells(i) {
			if c.Qualifier == schema.LogbodyField {
				line = string(c.Value)
			}
		}
		f.volatile[string(rows.Key(i))] = line
	}
	return nil
}

// Flush makes rows survive a Crash.
func (f *Table) Flush(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, v := range f.volatile {
		f.durable[k] = v
	}
	clear(f.volatile)
	return nil
}

// Crash loses some of the rows that were not flushed.
func (f *Table) Crash(random *rand.Rand) {
	for k, v := range f.volatile {
		if random.IntN(2) == 0 {
			f.durable[k] = v
		}
	}
	clear(f.volatile)
}

// Lines returns the raw lines of the rows that survive a crash, sorted, without the stream
// directory.
func (f *Table) Lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for k, v := range f.durable {
		if k[0] != 0xff {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// Rows returns the number of all rows, durable or not.
func (f *Table) Rows() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.durable) + len(f.volatile)
}

// Hang makes calls wait until release is called.
func (f *Table) Hang() (release func()) {
	f.mu.Lock()
	return f.mu.Unlock
}
