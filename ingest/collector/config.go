package collector

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

// Config is the configuration of a Collector.
type Config struct {
	FS         vfs.FS
	SpoolDir   string
	Checkpoint *checkpoint.File
	// Table gets a row for each line; nil: there is none.
	Table Table
	// TableReady is closed when Table can be used; nil: it can be used now. Until then lines wait
	// in the spool, which requires SpoolAhead.
	TableReady <-chan struct{}
	Archive    Archive
	Naming     Naming
	// Columns gets a Parquet file for each segment, in the directory of ColumnNaming; nil: there is
	// none. At least one of Table and Columns is required.
	Columns      Columns
	ColumnNaming Directory
	// AllLines stores each line in Columns, also if it can be made again from its fields.
	AllLines bool
	// rowGroupRows and columnBytes are set by tests only; 0: columnar's value, and columnFileBytes.
	rowGroupRows, columnBytes int
	// RollBytes is the length at which a segment is sealed and archived.
	RollBytes int64
	// RollInterval after its first line a segment is sealed and archived, RollIdle
	// after its last one; 0 is never.
	RollInterval, RollIdle time.Duration
	// CommitBytes of log are committed together, for a table whose Flush is expensive; 0: each
	// segment as soon as the archive and the table have it. Close commits the rest.
	CommitBytes int64
	// SpoolMaxBytes is the size of the spool from which Append returns ErrBusy; 0: no limit.
	SpoolMaxBytes int64
	// HostShare is the share of the spool that one host may use, as a multiple of the free room:
	// the fuller the spool, the smaller the share, so that there is always room for another host.
	// 0: one host may use all.
	HostShare int
	// OpenSegments is the limit of open segments of all hosts, including those that were rolled and
	// are not sealed; 0: 512.
	OpenSegments int
	// DeclareFound adds a stream that is in a segment of the spool, and not in the checkpoint, to
	// the checkpoint. Without it such a stream is an error.
	DeclareFound bool
	// KeepLocal is how long a segment's file stays after it is stored.
	KeepLocal time.Duration
	// Level is gzip's, 1 to 9.
	Level int
	// Uploads is the number of segments that are archived at the same time; 0: 1.
	Uploads int
	// MarkClosed marks directories of days that ended ClosedGrace ago as complete, when everything
	// that was received for them is archived.
	MarkClosed  bool
	ClosedGrace time.Duration
	// RetryFailures retries what fails until it succeeds; State reports it. Without it the first
	// error stops the collector.
	RetryFailures bool
	// SpoolAhead accepts batches without waiting for the table; what the table does not have yet is
	// read from the segments again. Without it Append waits for the table.
	SpoolAhead bool
	Log        *slog.Logger
	// Now is the clock of State and KeepLocal; nil: time.Now.
	Now func() time.Time
}

// ErrBusy is returned if the batch was not accepted and can be offered again later: the spool is
// full, or its disk fails. State reports which.
var ErrBusy = errors.New("not taken for now")

// errEnded is returned by calls after Close or Abort.
var errEnded = errors.New("the collector has ended")

// Counters count what a Collector has done. They may be read concurrently.
type Counters struct {
	// Lines and Bytes were received, Rows are in the table (in Columns, if there is no
	// Table), Segments in the archive.
	Lines, Bytes, Rows, ParseErrors, Segments atomic.Int64
	// Batches were received; Duplicates are bytes that were received before.
	Batches, Duplicates atomic.Int64
}
