// Package tail follows log files: it finds them by pattern, reads what was
// appended to them, through every kind of rotation, and hands it on as batches of
// whole lines.
//
// Files that grow are swept: one pread a file and a look, from some bytes before
// the position, which tells growth, end, truncation, and truncation with
// regrowth in one call. A file that has not grown for a while is cold: its
// descriptor is closed, and a one-shot inotify watch on its inode says when it is
// written again. The directories are watched for names that come, move and go,
// not for writes: a watch on writes costs the web server more for each line than
// reading costs here. Waiting for directory events is the sleep between two
// sweeps.
//
// A [Tailer] is one goroutine. What it found is handed over in a few buffers that
// go round; when none comes back it stops reading, goes on following names, and
// the log files are the queue.
package tail

import (
	"log/slog"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// Config is what a Tailer works with.
type Config struct {
	Sources []Source
	// Changing, if any, are more sources, which may change meanwhile.
	Changing   *SourceSet
	Host       string
	Checkpoint *checkpoint.File
	// Position says from where a known stream is read on; nil: from where it is
	// stored.
	Position func(*checkpoint.Stream) int64
	// FromEnd: logs that are there when nothing is known of any log are read from
	// their end. Logs that come later are read whole, those too that came while
	// nobody looked.
	FromEnd bool
	// Latency is the time between two sweeps. 0 adapts it to the number of files
	// that grow, between minInterval and maxInterval.
	Latency time.Duration
	// Gate decides how much may be read; nil: all.
	Gate Gate
	// MinMargin is how long before its deletion a log's unread part must be read
	// at the present pace; less is warned of and said to the Gate. 0: no watch is
	// kept.
	MinMargin time.Duration
	// MaxOpen is how many logs may be open at a time. 0: what the process's limit of
	// descriptors allows, with a reserve for everything else.
	MaxOpen int
	Log     *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time

	// local reports whether inotify reports every write to an open file; nil is the
	// kernel's answer. Tests have file systems that are written from elsewhere.
	local func(fd int) bool
	// writers asks whether anybody has an open file open for writing; nil is the kernel.
	writers func(fd int) writers
}

// Gate is a governor, as a Tailer sees it; one goroutine calls it.
type Gate interface {
	// Allow returns how many of want bytes may be read now. It is also called with
	// 0, so that it can look at the host.
	Allow(want int) int
	// Read says that so many were read.
	Read(n int)
	// Wait is how long to wait after Allow gave less than was wanted.
	Wait() time.Duration
	// SetUrgent says that unread lines are about to be deleted, and why.
	SetUrgent(urgent bool, reason string)
}

// Batch is a range of whole lines of one stream. Its memory belongs to its
// Delivery.
type Batch struct {
	Stream *checkpoint.Stream
	schema.Range
	Data  []byte
	Lines int
}

const (
	minInterval = 200 * time.Millisecond
	maxInterval = 2 * time.Second
	// lookShare of a core is spent on looking at files, at a microsecond and a
	// quarter a look: from this the adapted interval follows.
	lookCost  = 1250 * time.Nanosecond
	lookShare = 1.0 / 1000
	// quietSweeps without growth make a file cold. Closing, watching, and opening
	// it again cost about as much as so many looks.
	quietSweeps = 60
	// orphanQuiet is how long a log without a name must have been quiet to be
	// taken for finished: a server's old children write long after a restart.
	orphanQuiet = 10 * time.Minute
	// orphanGrace is how long a removed log must have been quiet before it is asked
	// whether a process still has it open for writing.
	orphanGrace = 5 * time.Second
	// maxOrphans is how many removed logs are kept open where the kernel does not
	// answer that.
	maxOrphans = 64
	// bufferBytes is how much is handed over at a time; buffers go round.
	bufferBytes = 1 << 20
	buffers     = 3
	// gateInterval is how often the gate is asked while logs grow, also between two
	// sweeps: it steps aside for a load that began a moment ago.
	gateInterval = 500 * time.Millisecond
	// markBytes before the position are compared at every look.
	markBytes = 256
)

// interval is the time between two sweeps of so many files.
func (cfg *Config) interval(hot int) time.Duration {
	if cfg.Latency > 0 {
		return cfg.Latency
	}
	return min(max(time.Duration(float64(lookCost)*float64(hot)/lookShare), minInterval), maxInterval)
}
