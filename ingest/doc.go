// Package ingest takes log files to a table and an archive.
//
// [Once] and [Follow] read logs; [Collector] is the half behind them: it puts each batch
// into a segment on its own disk, parses it, writes its rows or columns, and hands sealed
// segments, and the Parquet files made from them, to the archive and the columnar table. What it has received and what is stored are two
// positions of each stream; only the second is written to the checkpoint, and a
// segment is forgotten only after that. Every step can be done again: a row is
// overwritten with itself, an archive file replaced by itself.
package ingest

import (
	"context"
	"time"

	"sluice/schema"
)

// Table is where rows go. Put and Flush are called by one goroutine.
type Table interface {
	Layout() schema.Layout
	// Put writes rows and keeps nothing of them. They need not survive a crash
	// before Flush returns.
	Put(ctx context.Context, rows *schema.Rows) error
	// Flush makes every row of earlier Puts durable.
	Flush(ctx context.Context) error
}

// Columns is where the Parquet files of sealed segments go.
type Columns interface {
	// Store copies the file and verifies the copy; storing it again under the
	// same name changes nothing.
	Store(ctx context.Context, localPath, name string) error
	// Sweep removes what an earlier process left unfinished.
	Sweep(ctx context.Context) error
}

// Archive is where sealed segments go.
type Archive interface {
	// Store copies the file and verifies the copy; storing it again under the
	// same name changes nothing.
	Store(ctx context.Context, localPath, name string) error
	// Mark says in a directory that nothing is to come there any more; again is no
	// error.
	Mark(ctx context.Context, dir string) error
	// Sweep removes uploads that were never finished; it may run beside Store.
	Sweep(ctx context.Context) error
}

// Naming is an archive's path pattern: which directory a line's time belongs to.
type Naming interface {
	// Period is the time that shares a directory with t: a day, an hour, a minute.
	Period(t time.Time) (start, end time.Time)
	// Group is the same for labels of which Expand makes one directory, and "" if labels are
	// of no meaning to it.
	Group(labels map[string]string) string
	Directory
}

// Directory is a path pattern.
type Directory interface {
	// Expand returns the directory below the root, for lines of a time.
	Expand(event time.Time, host string, labels map[string]string) (string, error)
}
