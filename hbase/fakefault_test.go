package hbase_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/hbase"
	"sluice/hbase/bulkload"
	"sluice/hbase/hbasetest"
	"sluice/schema"
	"sluice/table/tabletest"
)

// fake returns a running cluster in memory.
func fake(t *testing.T) *hbasetest.Server {
	t.Helper()
	s := hbasetest.New(t, "127.0.0.1:0")
	s.Start()
	return s
}

func openFake(t *testing.T, f *hbasetest.Server, layout schema.Layout, o hbase.Options) *hbase.Table {
	t.Helper()
	u, err := hbase.ParseURL(f.URL())
	check(t, err)
	return openNew(t, u, layout, o)
}

func TestContract(t *testing.T) {
	tabletest.Run(t, func(t *testing.T, layout schema.Layout) tabletest.Table {
		return openFake(t, fake(t), layout, hbase.Options{})
	})
}

// A row may be in several results of several responses, and scanners may be lost between them.
func TestRowsInSeveralResultsAreJoined(t *testing.T) {
	f := fake(t)
	layout := typed(t)
	layout.Salts = 2
	table := openFake(t, f, layout, hbase.Options{})
	check(t, table.Put(t.Context(), lines(layout, tabletest.NewLog("web01", 1), 1000)))
	check(t, table.Flush(t.Context()))
	calls := 0
	f.Fault(2, func(method string) string {
		if calls++; method == "Scan" && calls%60 == 59 {
			return "org.apache.hadoop.hbase.UnknownScannerException"
		}
		return ""
	})
	same(t, t.Context(), table, layout, 1000)
	check(t, table.Close())
}

func TestARegionIsSplitWhileItIsWrittenAndScanned(t *testing.T) {
	f := fake(t)
	layout := typed(t)
	table := openFake(t, f, layout, hbase.Options{})
	log := tabletest.NewLog("web01", 1)
	for i := range 10 {
		check(t, table.Put(t.Context(), lines(layout, log, 1000)))
		if i%3 == 1 {
			check(t, table.Flush(t.Context()))
			f.Split([]byte{byte(i), 0x18, 0xd1}, []byte{byte(i), 0x80})
		}
	}
	check(t, table.Flush(t.Context()))
	seen := 0
	for _, err := range table.Scan(t.Context(), schema.Scan{}) {
		check(t, err)
		if seen++; seen == 5000 {
			f.Split([]byte{6, 0x18, 0xd1})
		}
	}
	if seen != 10_000 {
		t.Errorf("%d rows, want 10000", seen)
	}
	same(t, t.Context(), table, layout, 10_000)
	if n := count(t, table, schema.Scan{Reverse: true}); n != 10_000 {
		t.Errorf("%d rows in reverse order, want 10000", n)
	}
	check(t, table.Close())
}

// A server redirects to the server that a region was moved to for two minutes, also if the region was
// split since then. Two such servers redirected writers to each other for all of that time.
func TestARegionThatMovedTwiceAndWasSplitIsFound(t *testing.T) {
	f := fake(t)
	layout := typed(t)
	table := openFake(t, f, layout, hbase.Options{})
	log := tabletest.NewLog("web01", 1)
	check(t, table.Put(t.Context(), lines(layout, log, 1000)))
	check(t, table.Flush(t.Context()))
	f.RegionsMoved = true
	f.Split([]byte{1, 0x18, 0xd1})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	check(t, table.Put(ctx, lines(layout, log, 1000)))
	if err := table.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	same(t, t.Context(), table, layout, 2000)
	check(t, table.Close())
}

// Without ADMIN or CREATE there is no staging directory. That is reported at once, with the server's
// reason, and the table's own Put still works.
func TestABulkLoadWithoutPermissionIsNotRetried(t *testing.T) {
	f := fake(t)
	layout := typed(t)
	table := openFake(t, f, layout, hbase.Options{})
	prepared := 0
	f.Fault(0, func(method string) string {
		if method == "PrepareBulkLoad" {
			prepared++
			return "org.apache.hadoop.hbase.security.AccessDeniedException"
		}
		return ""
	})
	_, err := table.BulkLoader(t.Context(), bulkload.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "AccessDenied") || prepared != 1 {
		t.Errorf("%d calls: %v", prepared, err)
	}
	check(t, table.Put(t.Context(), lines(layout, tabletest.NewLog("web01", 1), 100)))
	check(t, table.Flush(t.Context()))
	if n := count(t, table, schema.Scan{}); n != 100 {
		t.Errorf("%d rows, want 100", n)
	}
	check(t, table.Close())
}

// What a killed load left is removed also if no other load follows. That of another table stays for
// its next run.
func TestWhatAKilledBulkLoadLeftIsRemoved(t *testing.T) {
	f, dir := fake(t), filepath.Join(t.TempDir(), "load[1]") // no glob
	check(t, os.Mkdir(dir, 0o700))
	table := openFake(t, f, typed(t), hbase.Options{})
	logger := slog.New(slog.DiscardHandler)
	check(t, table.SweepBulkLoads(t.Context(), filepath.Join(dir, "absent"), logger))
	for name, text := range map[string]string{
		"ours__x.staging":   `{"table":"t","token":"hdfs://n/staging/ours__x"}`,
		"theirs__x.staging": `{"table":"other","token":"hdfs://n/staging/theirs__x"}`,
		"torn.staging":      `{"tab`,
		"rows.hfile":        "",
	} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	check(t, err)
	check(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	check(t, table.SweepBulkLoads(t.Context(), dir, logger)) // the other process may be loading
	if removed := f.Removed(); len(removed) > 0 {
		t.Errorf("removed from a running process: %v", removed)
	}
	check(t, lock.Close())
	check(t, table.SweepBulkLoads(t.Context(), dir, logger))
	if removed := f.Removed(); !slices.Equal(removed, []string{"hdfs://n/staging/ours__x"}) {
		t.Errorf("removed in HDFS: %v", removed)
	}
	left, err := fs.Glob(os.DirFS(dir), "*.*")
	if err != nil || !slices.Equal(left, []string{"theirs__x.staging"}) {
		t.Errorf("left: %v, %v", left, err)
	}
	check(t, table.Close())
}

// One row that the server rejects must not delay the others, whichever way it is rejected.
func TestARejectedRowIsQuarantinedAndTheOthersAreWritten(t *testing.T) {
	const never = "org.apache.hadoop.hbase.DoNotRetryIOException"
	for name, refuse := range map[string]func(bad bool) (row, region string){
		"by row": func(bad bool) (string, string) {
			if bad {
				return never, ""
			}
			return "", ""
		},
		"with its whole region": func(bad bool) (string, string) {
			if bad {
				return "", never
			}
			return "", ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := fake(t)
			layout := typed(t)
			rows := lines(layout, tabletest.NewLog("web01", 1), 3000)
			bad := []string{string(rows.Key(7)), string(rows.Key(2900))}
			slices.Sort(bad)
			f.Refuse = func(key []byte) (string, string) { return refuse(slices.Contains(bad, string(key))) }
			var kept []string
			table := openFake(t, f, layout, hbase.Options{Refused: func(key []byte, cells []schema.Cell, reason error) error {
				if len(cells) < 10 || !strings.Contains(reason.Error(), "DoNotRetry") {
					return fmt.Errorf("%d cells, %w", len(cells), reason)
				}
				kept = append(kept, string(key))
				return nil
			}})
			check(t, table.Put(t.Context(), rows))
			check(t, table.Flush(t.Context()))
			slices.Sort(kept)
			if !slices.Equal(kept, bad) {
				t.Errorf("kept %x, want %x", kept, bad)
			}
			if n := count(t, table, schema.Scan{}); n != 2998 {
				t.Errorf("%d rows, want 2998", n)
			}
			check(t, table.Close())
		})
	}
}

func TestWithoutAQuarantineARejectedRowEndsWriting(t *testing.T) {
	f := fake(t)
	layout := typed(t)
	f.Refuse = func([]byte) (string, string) { return "org.apache.hadoop.hbase.DoNotRetryIOException", "" }
	table := openFake(t, f, layout, hbase.Options{})
	check(t, table.Put(t.Context(), lines(layout, tabletest.NewLog("web01", 1), 10)))
	for range 2 { // permanently
		if err := table.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be stored") {
			t.Errorf("flush: %v", err)
		}
	}
	check(t, table.Close())
}

// A retry is in the state, and ends with the caller's context.
func TestAServerThatIsTooBusyIsSeenAndTriedAgain(t *testing.T) {
	f := fake(t)
	layout := typed(t)
	table := openFake(t, f, layout, hbase.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	f.Fault(0, func(method string) string {
		if method != "Multi" {
			return ""
		}
		if tries++; tries == 3 {
			state := table.State()
			if len(state) != 1 || state[0].Attempts < 1 || !strings.Contains(state[0].Err.Error(), "RegionTooBusy") {
				t.Errorf("state %v", state)
			}
			cancel()
		}
		if tries > 5 {
			return ""
		}
		return "org.apache.hadoop.hbase.RegionTooBusyException"
	})
	check(t, table.Put(ctx, lines(layout, tabletest.NewLog("web01", 1), 1000)))
	if err := table.Flush(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "RegionTooBusy") {
		t.Errorf("flush with an ended context: %v", err)
	}
	check(t, table.Flush(t.Context()))
	if state := table.State(); len(state) != 0 {
		t.Errorf("state afterwards: %v", state)
	}
	same(t, t.Context(), table, layout, 1000)
	check(t, table.Close())
}
