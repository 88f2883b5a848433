// Package ingest takes log files to a table and an archive.
//
// [Run] reads logs once; [Collector] is the half behind it: it puts each batch
// into a segment on its own disk, parses it, writes the rows, and hands sealed
// segments to the archive. What it has received and what is stored are two
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

// Reopener is a Table that takes nothing more once its disk has failed, as when it is
// full, until Reopen has succeeded. Rows that were Put and not flushed are gone then.
// Reopen does nothing to a table that works.
type Reopener interface {
	Reopen() error
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
	// Expand returns the directory below the archive's root.
	Expand(event time.Time, host string, labels map[string]string) (string, error)
	// Group is the same for labels of which Expand makes one directory, and "" if labels are
	// of no meaning to it.
	Group(labels map[string]string) string
}
