package collector

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

// Config is what a Collector works with.
type Config struct {
	FS         vfs.FS
	SpoolDir   string
	Checkpoint *checkpoint.File
	// Table gets a row a line; nil: there is none.
	Table Table
	// TableReady is closed when Table can be used; nil: it can be now. Until then lines wait
	// in the spool, for which SpoolAhead must be set.
	TableReady <-chan struct{}
	Archive    Archive
	Naming     Naming
	// Columns gets a Parquet file a segment, in the directory that ColumnNaming says; nil:
	// there is none. One of Table and Columns is there.
	Columns      Columns
	ColumnNaming Directory
	// AllLines stores each line in Columns also where its fields rebuild it.
	AllLines bool
	// rowGroupRows and columnBytes are columnar's and columnFileBytes, but in tests.
	rowGroupRows, columnBytes int
	// RollBytes is the length at which a segment is sealed and archived.
	RollBytes int64
	// RollInterval after its first line a segment is sealed and archived, RollIdle
	// after its last one; 0 is never.
	RollInterval, RollIdle time.Duration
	// CommitBytes of log are committed together, for a table whose Flush is expensive; 0: each
	// segment as soon as the archive and the table have it. Close commits the rest.
	CommitBytes int64
	// SpoolMaxBytes bounds the segments on our disk; at it Append says ErrBusy. 0
	// is no bound.
	SpoolMaxBytes int64
	// HostShare is how many times what is left free of the spool one host may have in it:
	// the fuller it is, the less for each, and there is always room for another host. 0:
	// one host may have all.
	HostShare int
	// OpenSegments bounds the segments of all hosts that are open at a time, those that
	// were rolled and are not sealed among them; 0: 512.
	OpenSegments int
	// DeclareFound: a stream that a segment in the spool names and the checkpoint does not
	// is what the segment says. Else it is an error.
	DeclareFound bool
	// KeepLocal is how long a segment's file stays after it is stored.
	KeepLocal time.Duration
	// Level is gzip's, 1 to 9.
	Level int
	// Uploads is how many segments are archived side by side; 0 is one.
	Uploads int
	// MarkClosed: directories of days that ended ClosedGrace ago are marked as
	// complete, when all that came for them is archived.
	MarkClosed  bool
	ClosedGrace time.Duration
	// Patient: what fails is tried again until it works, and State says so. Else
	// the first error ends the collector.
	Patient bool
	// SpoolAhead: a slow table does not keep batches waiting. What it has not taken
	// is read from the segments again. Else Append waits for the table.
	SpoolAhead bool
	Log        *slog.Logger
	// Now is the clock of State and KeepLocal; nil: time.Now.
	Now func() time.Time
}

// ErrBusy is returned if the batch was not accepted and can be offered again later: the spool is
// full, or its disk fails. State says which.
var ErrBusy = errors.New("not taken for now")

// errEnded is what calls get that come after Close or Abort.
var errEnded = errors.New("the collector has ended")

// Counters count what a Collector has done. They may be read at any time.
type Counters struct {
	// Lines and Bytes were received, Rows are in the table (in Columns, if there is no
	// Table), Segments in the archive.
	Lines, Bytes, Rows, ParseErrors, Segments atomic.Int64
	// Batches were received; Duplicates are bytes that were received before.
	Batches, Duplicates atomic.Int64
}
