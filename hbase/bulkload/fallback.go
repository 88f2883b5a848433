package bulkload

import (
	"log/slog"
	"sync"
)

// fallback is whether rows are written with Put instead of files, because loading failed for good.
// It is safe for concurrent use.
type fallback struct {
	table  string
	logger *slog.Logger

	mu     sync.Mutex
	reason error // nil: rows are loaded
}

// giveUp lets all further rows go to Put.
func (f *fallback) giveUp(reason error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reason == nil {
		f.reason = reason
		f.logger.Warn("bulk load failed, rows are written with Put", "table", f.table, "reason", reason)
	}
}

// active reports whether rows go to Put.
func (f *fallback) active() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason != nil
}
