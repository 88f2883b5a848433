package collector

import (
	"context"
	"time"

	"sluice/schema"
)

// Table stores rows. Put and Flush are called by one goroutine.
type Table interface {
	Layout() schema.Layout
	// Put writes rows and keeps no reference to them. They need not survive a crash before
	// Flush returns.
	Put(ctx context.Context, rows *schema.Rows) error
	// Flush makes the rows of all earlier Puts durable.
	Flush(ctx context.Context) error
}

// Columns stores the Parquet files of sealed segments. Store may be called concurrently.
type Columns interface {
	// Store copies the file and verifies the copy. Storing it again under the same name
	// changes nothing.
	Store(ctx context.Context, localPath, name string) error
	// Sweep removes files that an earlier process did not complete.
	Sweep(ctx context.Context) error
}

// Archive stores sealed segments. Its methods may be called concurrently.
type Archive interface {
	// Store copies the file and verifies the copy. Storing it again under the same name
	// changes nothing.
	Store(ctx context.Context, localPath, name string) error
	// Mark marks a directory as complete. Marking it again changes nothing.
	Mark(ctx context.Context, dir string) error
	// Sweep removes uploads that were not completed.
	Sweep(ctx context.Context) error
}

// Naming is an archive's path pattern, which determines the directory of a line.
type Naming interface {
	// Period returns the day, hour or minute whose lines share a directory with a line of
	// time t.
	Period(t time.Time) (start, end time.Time)
	// Group returns the same text for all labels that Expand turns into the same directory,
	// and "" if the pattern has no labels.
	Group(labels map[string]string) string
	Directory
}

// Directory is a path pattern.
type Directory interface {
	// Expand returns the directory, below the root, of lines of a time, a host and labels.
	Expand(event time.Time, host string, labels map[string]string) (string, error)
}
