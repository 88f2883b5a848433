package embedded

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sys/unix"

	"sluice/schema"
)

// How Pebble is set for this work: rows arrive nearly in the order of their keys
// within each salt, are rarely read by key, and memory is short. What was measured
// on two busy cores, on lines of 243 bytes: CPU seconds a million rows with the
// compactions of a load, and bytes on the disk a row, in loads of 1 to 5 million.
//
//	one log in the order of its time              1.1 to 1.9    104
//	the same once it comes to be compacted        3.6
//	the same, tables not split at the salts       4.7           146
//	the same, nothing compressed                  2.3           387
//	the same, zstd from the start                 2.1 to 2.4     79
//	eight hosts at the same time                  2.6 to 3.8    106
//	the same, 4 tables over one another, not 8    5.6 to 12      81 to 91
//	eight logs of the same time, one by one       4.8            89
//
// Peak memory was 125 MiB at most. To make tables ourselves and hand them to
// Pebble, without its memtables, was not tried: tables in time order are written
// once as it is.
const (
	memTableBytes = 32 << 20
	// rotateBytes is when Put starts the next memtable: before Pebble would, whose
	// own waiting cannot be interrupted.
	rotateBytes = memTableBytes * 3 / 4
	cacheBytes  = 8 << 20
	// manifestBytes: a reader has a copy of it in memory.
	manifestBytes = 8 << 20
	blockBytes    = 32 << 10
	fileBytes     = 32 << 20
	// Tables stay in level 0 until as many lie over one another, or there are as many
	// at all: those in time order do not need to be merged to be read. (500 of them,
	// in 63 sublevels: 48 ms to the first row, 0.7 s of CPU a million rows.)
	l0Depth   = 8
	l0Files   = 1000
	baseBytes = 512 << 20
	// maxOpenFiles bounds the tables that Pebble keeps open, each with its index in the
	// cache: less where the process may open few files, as it needs others.
	maxOpenFiles = 256
	// openFilesShare: one file in so many that the process may open is for tables.
	openFilesShare = 8
	// maxSublevels of level 0 are when Put waits for the compaction that is running.
	maxSublevels = 24
)

// pebbleOptions are those of every table; fs and the listener are the caller's.
func pebbleOptions(l schema.Layout, log *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion:          pebble.FormatTableFormatV6, // checksums in the tables' footers
		DisableWAL:                  true,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 16, // never reached: see rotate
		L0StopWritesThreshold:       1 << 20,
		L0CompactionThreshold:       l0Depth,
		L0CompactionFileThreshold:   l0Files,
		LBaseMaxBytes:               baseBytes,
		CacheSize:                   cacheBytes,
		MaxManifestFileSize:         manifestBytes,
		MaxOpenFiles:                maxOpenFiles,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
		Logger:                      pebbleLog{log},
	}
	o.Experimental.FileCacheShards = 1
	// One compaction at a time: the end of one starts the next. Pebble's default
	// also looks ten times a second, from a goroutine that outlives an Open that
	// failed; that is for limits which change, and its name is all that is wrong
	// with this one.
	o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	// Tables end where a salt's rows end. So those of one salt do not overlap with
	// those of the next, and rows in time order move down without being rewritten.
	o.Experimental.SpanPolicyFunc = splitAtSalts(l)
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockBytes
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = fileBytes
	}
	// Snappy, and zstd in the last level, where rows stay.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	return o
}

// newFileCache returns a cache of open tables; Pebble's own has 64 at least.
func newFileCache() *pebble.FileCache {
	size := maxOpenFiles
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		size = int(max(1, min(maxOpenFiles, limit.Cur/openFilesShare)))
	}
	return pebble.NewFileCache(1, size)
}

func splitAtSalts(l schema.Layout) pebble.SpanPolicyFunc {
	return func(start []byte) (pebble.SpanPolicy, []byte, error) {
		if l.Salts == 0 || len(start) == 0 || int(start[0]) >= l.Salts {
			return pebble.SpanPolicy{}, nil, nil
		}
		return pebble.SpanPolicy{}, []byte{start[0] + 1}, nil
	}
}

// pebbleLog takes what Pebble says to the debug log. What matters of it comes back
// as errors.
type pebbleLog struct{ log *slog.Logger }

func (p pebbleLog) Infof(format string, args ...any)  { p.print(format, args) }
func (p pebbleLog) Errorf(format string, args ...any) { p.print(format, args) }

// Fatalf is called where Pebble finds that it has a bug, and with a lock held.
func (p pebbleLog) Fatalf(format string, args ...any) {
	panic("pebble: " + fmt.Sprintf(format, args...))
}

func (p pebbleLog) print(format string, args []any) {
	if p.log.Enabled(context.Background(), slog.LevelDebug) {
		p.log.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

// diskLog is the logger of a table that is written.
type diskLog struct {
	pebbleLog
	disk *disk
}

// Fatalf is also called where a manifest could not be written. After a failed
// write Pebble hands the error on like any other, and the disk lets nothing more
// be made; ending the process for it would be wrong.
func (l diskLog) Fatalf(format string, args ...any) {
	if l.disk.failure() == nil {
		l.pebbleLog.Fatalf(format, args...)
	}
	l.print(format, args)
}
