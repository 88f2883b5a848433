// Package tail follows log files: it finds them by pattern, reads what is appended to them through
// every kind of rotation, and delivers it in batches of whole lines.
//
// Growing files are polled in sweeps: one pread for each file, beginning some bytes before the
// position, detects growth, end, truncation, and truncation with regrowth in one call. A file that
// has not grown for a while is cold: its descriptor is closed, and a one-shot inotify watch on its
// inode reports the next write. Directories are watched for names that are created, moved and
// removed, not for writes, because a watch on writes costs the web server more for each line than
// reading costs here. Between two sweeps the Tailer waits for directory events.
//
// A [Tailer] is one goroutine. It delivers what it reads in a few buffers that are reused. When
// none is free it stops reading, continues to follow names, and the log files are the queue.
package tail

import (
	"log/slog"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// Config configures a Tailer.
type Config struct {
	Sources []Source
	// Changing, if not nil, has more sources, which may change while the Tailer runs.
	Changing   *SourceSet
	Host       string
	Checkpoint *checkpoint.File
	// Position returns the position from which a known stream is read. nil: the stored position.
	Position func(*checkpoint.Stream) int64
	// Received returns the position up to which the present collector has a stream, if its log may be
	// gone. What is before it is not lost. nil: it has no more than Position.
	Received func(*checkpoint.Stream) int64
	// Repeats gets the logs that are read again. Tailers that follow one another may share it. nil: a
	// new one.
	Repeats *Repeats
	// FromEnd: if the checkpoint has no log yet, logs that exist at the start are read from their
	// end. All other logs are read completely, also those that were created while no process ran.
	FromEnd bool
	// Latency is the time between two sweeps. 0 adapts it to the number of growing files, between
	// minInterval and maxInterval.
	Latency time.Duration
	// Gate limits how much may be read; nil: no limit.
	Gate Gate
	// MinMargin is how long before its deletion a log's unread part must be read at the present
	// pace. A smaller margin is logged and reported to the Gate. 0: not checked.
	MinMargin time.Duration
	// MaxOpen is the limit of open logs. 0: the process's limit of descriptors minus a reserve.
	MaxOpen int
	Log     *slog.Logger
	// Now is the clock. nil: time.Now.
	Now func() time.Time

	// local reports whether inotify reports every write to an open file; nil: the kernel is asked.
	// Tests use it for file systems that are written by other hosts.
	local func(fd int) bool
	// writers reports whether a process has an open file open for writing; nil: the kernel is
	// asked.
	writers func(fd int) writers
}

// Gate is the Tailer's interface to a governor. It is called by one goroutine.
type Gate interface {
	// Allow returns how many of want bytes may be read now. It is also called with 0, so that the
	// gate can measure the load of the host.
	Allow(want int) int
	// Read reports that n bytes were read.
	Read(n int)
	// Wait returns how long to wait after Allow returned less than want.
	Wait() time.Duration
	// SetUrgent reports whether unread lines are about to be deleted, and the reason.
	SetUrgent(urgent bool, reason string)
}

// Batch is a range of whole lines of one stream. Data belongs to its Delivery.
type Batch struct {
	Stream *checkpoint.Stream
	schema.Range
	Data  []byte
	Lines int
}

const (
	minInterval = 200 * time.Millisecond
	maxInterval = 2 * time.Second
	// The adapted interval is such that looking at files takes lookShare of a core, at lookCost for
	// each look.
	lookCost  = 1250 * time.Nanosecond
	lookShare = 1.0 / 1000
	// quietSweeps is how many sweeps without growth make a file cold. Closing, watching and opening
	// it again costs about as much as so many looks.
	quietSweeps = 60
	// orphanQuiet is how long a log without a name must have been quiet to count as finished: a
	// server's old worker processes write long after a restart.
	orphanQuiet = 10 * time.Minute
	// orphanGrace is how long a removed log must have been quiet before the kernel is asked whether
	// a process still has it open for writing.
	orphanGrace = 5 * time.Second
	// maxOrphans is how many removed logs are kept open if the kernel cannot answer that.
	maxOrphans = 64
	// bufferBytes is the size of one delivery.
	bufferBytes = 1 << 20
	buffers     = 3
	// gateInterval is how often the gate is called while logs grow, also between two sweeps, so
	// that it reacts soon to a new load.
	gateInterval = 500 * time.Millisecond
	// markBytes is how many bytes before the position are compared at every look.
	markBytes = 256
)

// interval returns the time between two sweeps of so many files.
func (cfg *Config) interval(hot int) time.Duration {
	if cfg.Latency > 0 {
		return cfg.Latency
	}
	return min(max(time.Duration(float64(lookCost)*float64(hot)/lookShare), minInterval), maxInterval)
}
