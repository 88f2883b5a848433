package embedded

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"sluice/schema"
)

// How Pebble is set for this work: rows arrive nearly in the order of their keys
// within each salt, are rarely read by key, and memory is short. The figures are
// in benchmark_test.go's comments' terms: CPU seconds and bytes a million rows.
const (
	memTableBytes = 32 << 20
	// rotateBytes is when Put starts the next memtable: before Pebble would, whose
	// own waiting cannot be interrupted.
	rotateBytes = memTableBytes * 3 / 4
	cacheBytes  = 8 << 20
	blockBytes  = 32 << 10
	fileBytes   = 32 << 20
	// maxOpenFiles bounds what Pebble keeps open, each with its index in the cache.
	maxOpenFiles = 256
	// maxSublevels of level 0 is when Put waits for compactions.
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
		L0CompactionThreshold:       4,
		LBaseMaxBytes:               64 << 20,
		CacheSize:                   cacheBytes,
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
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	return o
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
