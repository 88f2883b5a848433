package collector

import (
	"slices"
	"testing"

	"sluice/ingest/collector/collectortest"
	"sluice/ingest/segment/vfs"
)

// sinks are the sinks of a collector. table or columns may be nil.
type sinks struct {
	table            *collectortest.Table
	archive, columns *collectortest.Archive
}

// use sets the file system of the sinks that store files, and the function that makes them fail.
func (s sinks) use(fs vfs.FS, fail func() error) {
	for _, files := range []*collectortest.Archive{s.archive, s.columns} {
		if files != nil {
			files.FS, files.Fail = fs, fail
		}
	}
}

// holds fails unless each sink contains exactly these lines.
func (s sinks) holds(t testing.TB, what string, want []string) {
	t.Helper()
	check := func(name string, got []string) {
		if !slices.Equal(got, want) {
			t.Fatalf("%s: the %s holds %d lines, want %d", what, name, len(got), len(want))
		}
	}
	check("archive", s.archive.Lines(t))
	if s.table != nil {
		check("table", s.table.Lines())
	}
	if s.columns != nil {
		check("columnar table", s.columns.ColumnLines(t))
	}
}
