package bulkload_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/hbase"
	"sluice/hbase/bulkload"
	"sluice/hdfs"
	"sluice/schema"
	"sluice/table/tabletest"
	"sluice/test/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables numbers the tables of a process; the time tells processes apart.
var tables atomic.Int64

// world is a table in a real cluster.
type world struct {
	*testing.T
	cluster *cluster.Cluster
	admin   *hbase.Admin
	table   *hbase.Table
	layout  schema.Layout
	dir     string
	warned  *strings.Builder
	wait    time.Duration // in which a call to HDFS that fails is repeated; 0: no limit
}

func newWorld(t *testing.T, c *cluster.Cluster, layout schema.Layout) *world {
	t.Helper()
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir)
	u, err := hbase.ParseURL(fmt.Sprintf("hbase://%s/load%d_%d", c.ZooKeeper, time.Now().UnixNano(), tables.Add(1)))
	check(t, err)
	w := &world{T: t, cluster: c, admin: hbase.OpenAdmin(u, hbase.Options{}), layout: layout, dir: t.TempDir(), warned: &strings.Builder{}}
	if _, made, err := w.admin.Create(t.Context(), hbase.Creation{Layout: layout}); err != nil || !made {
		t.Fatalf("create: made is %v, %v", made, err)
	}
	w.table, err = hbase.Open(t.Context(), u, hbase.Options{})
	check(t, err)
	t.Cleanup(func() {
		check(t, w.table.Close())
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		check(t, w.admin.Drop(ctx))
		check(t, w.admin.Close())
	})
	return w
}

// staging is a staging directory; each function that is set replaces a method.
type staging struct {
	*hdfs.Archive
	uri   string
	store func(s *staging, ctx context.Context, localPath, name string) error
}

func (s *staging) Token(context.Context) (*bulkload.DelegationToken, error) { return nil, nil }

func (s *staging) Store(ctx context.Context, localPath, name string) error {
	if s.store != nil {
		return s.store(s, ctx, localPath, name)
	}
	return s.Archive.Store(ctx, localPath, name)
}

func openStaging(uri string, wait time.Duration, store func(*staging, context.Context, string, string) error) (*staging, error) {
	authority, root, err := hdfs.SplitURL(uri)
	if err != nil {
		return nil, err
	}
	where, err := hdfs.Locate(authority)
	if err != nil {
		return nil, err
	}
	a, err := hdfs.Open(where, root, hdfs.Options{Owner: "load", Permissions: 0o777, Wait: wait})
	return &staging{a, uri, store}, err
}

// loader returns a loader, and where its staging directory is.
func (w *world) loader(store func(*staging, context.Context, string, string) error) (*bulkload.Loader, *string) {
	w.Helper()
	var at string
	l, err := w.table.BulkLoader(w.Context(), bulkload.Options{
		Dir: w.dir, Logger: slog.New(slog.NewTextHandler(w.warned, nil)),
		OpenStaging: func(uri string) (bulkload.Staging, error) {
			at = uri
			return openStaging(uri, w.wait, store)
		},
	})
	check(w, err)
	return l, &at
}

// gone checks that a staging directory is removed, and that there is nothing on the local disk.
func (w *world) gone(uri string) {
	w.Helper()
	s, err := openStaging(uri, 0, nil)
	check(w, err)
	if err := s.There(w.Context()); !errors.Is(err, fs.ErrNotExist) {
		w.Errorf("the staging directory %s is there: %v", uri, err)
	}
	check(w, s.Close())
	left, err := filepath.Glob(filepath.Join(w.dir, "*.*"))
	if err != nil || len(left) > 0 {
		w.Errorf("left on the local disk: %v, %v", left, err)
	}
}

// lines are the log's next n as rows that keep their bytes.
func (w *world) lines(log *tabletest.Log, n int) *schema.Rows {
	var rows schema.Rows
	e := w.layout.NewRowEncoder(&log.Stream, tabletest.Fields)
	for range n {
		rec, offset := log.Next()
		rec.Line = append([]byte(nil), rec.Line...)
		e.Append(&rows, offset, rec)
	}
	return &rows
}

func addText(to map[string]string, rows *schema.Rows) {
	for i := range rows.Len() {
		to[string(rows.Key(i))] = cellText(rows.Cells(i))
	}
}

func cellText(cells []schema.Cell) string {
	var b strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&b, "%s=%q ", c.Qualifier, c.Value)
	}
	return b.String()
}

// holds checks that the table has exactly the wanted rows.
func (w *world) holds(want map[string]string) {
	w.Helper()
	seen := map[string]bool{}
	for row, err := range w.table.Scan(w.Context(), schema.Scan{}) {
		check(w, err)
		text, ok := want[string(row.Key)]
		if got := cellText(row.Cells); !ok || seen[string(row.Key)] || got != text {
			w.Fatalf("row %x (twice: %v) is\n%s\nwant\n%s", row.Key, seen[string(row.Key)], got, text)
		}
		seen[string(row.Key)] = true
	}
	if len(seen) != len(want) {
		w.Errorf("%d rows, want %d", len(seen), len(want))
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func layoutOf(t *testing.T, name string) schema.Layout {
	l, err := schema.NewLayout(name)
	check(t, err)
	l.Salts = 2
	return l
}

// Rows of two hosts, the second one's older, and some without a time, are there once, whether they
// are loaded once or again.
func TestLoadedRowsAreThoseThatWerePut(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	for _, name := range []string{schema.LayoutTyped, schema.LayoutPacked} {
		w := newWorld(t, c, layoutOf(t, name))
		want := map[string]string{}
		for range 2 {
			l, at := w.loader(nil)
			for _, host := range []string{"web01", "web02"} {
				log := tabletest.NewLog(host, 1)
				for range 4 {
					rows := w.lines(log, 700)
					check(t, l.Put(t.Context(), rows))
					addText(want, rows)
				}
				rec, offset := log.Next()
				rec.Time, rec.Dated = 0, false
				var undated schema.Rows
				w.layout.NewRowEncoder(&log.Stream, tabletest.Fields).Append(&undated, offset, rec)
				check(t, l.Put(t.Context(), &undated))
				addText(want, &undated)
			}
			check(t, l.Flush(t.Context()))
			check(t, l.Close())
			w.holds(want)
			w.gone(*at)
		}
		if w.warned.Len() > 0 {
			t.Error(w.warned)
		}
	}
}

// The region splits, and one part moves, between Put and Flush. The first Flush is cancelled when the
// parts of the file are being loaded; the next one goes on.
func TestAFileIsCutAtTheBorderOfARegionThatWasSplit(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	w := newWorld(t, c, layoutOf(t, schema.LayoutPacked))
	first, cancel := context.WithCancel(t.Context())
	defer cancel()
	files := func() int {
		names, err := filepath.Glob(filepath.Join(w.dir, "*.hfile"))
		check(t, err)
		return len(names)
	}
	l, at := w.loader(func(s *staging, ctx context.Context, localPath, name string) error {
		if files() > 2 && first.Err() == nil { // of two regions, and parts
			cancel()
			return ctx.Err()
		}
		return s.Archive.Store(ctx, localPath, name)
	})
	want := map[string]string{}
	rows := w.lines(tabletest.NewLog("web01", 1), 5000)
	check(t, l.Put(t.Context(), rows))
	addText(want, rows)
	middle := rows.Key(rows.Len() / 2)
	check(t, w.admin.Split(t.Context(), middle))
	check(t, w.admin.Move(t.Context(), middle))
	if err := l.Flush(first); !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled Flush: %v", err)
	}
	if n := files(); n > 2 {
		t.Errorf("%d files after the cancelled Flush", n)
	}
	check(t, l.Flush(t.Context()))
	check(t, l.Close())
	w.holds(want)
	w.gone(*at)
	if w.warned.Len() > 0 {
		t.Error(w.warned)
	}
}

// A file that cannot be uploaded, for whatever reason, costs speed and no rows. The other files are
// not even tried.
func TestRowsThatCannotBeLoadedArePut(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	layout := layoutOf(t, schema.LayoutTyped)
	layout.Salts = 8
	w := newWorld(t, c, layout)
	var uploads atomic.Int32
	l, at := w.loader(func(*staging, context.Context, string, string) error {
		uploads.Add(1)
		return fs.ErrPermission
	})
	want := map[string]string{}
	log := tabletest.NewLog("web01", 1)
	regions := map[byte]bool{}
	for range 2 { // the second time all go to Put at once
		rows := w.lines(log, 3000)
		for i := range rows.Len() {
			regions[rows.Key(i)[0]] = true
		}
		check(t, l.Put(t.Context(), rows))
		addText(want, rows)
		check(t, l.Flush(t.Context()))
		w.holds(want)
	}
	if n := int(uploads.Load()); n == 0 || n > bulkload.Uploads || len(regions) <= bulkload.Uploads {
		t.Errorf("%d uploads for %d regions", n, len(regions))
	}
	check(t, l.Close())
	w.gone(*at)
	if text := w.warned.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "rows are written with Put") {
		t.Error(text)
	}
}

// A region gets files up to a number, and its further rows by Put: which the server counts.
func TestARegionWithManyFilesGetsItsRowsByPut(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	layout := layoutOf(t, schema.LayoutPacked)
	layout.Salts = 1
	w := newWorld(t, c, layout)
	l, at := w.loader(nil)
	const most = 2
	bulkload.SetLimits(l, most, most) // all are left out of compactions, which would change the number
	want := map[string]string{}
	log := tabletest.NewLog("web01", 1)
	for i := range most + 2 {
		rows := w.lines(log, 300)
		check(t, l.Put(t.Context(), rows))
		check(t, l.Flush(t.Context()))
		addText(want, rows)
		if n, err := bulkload.CountFiles(t.Context(), l, rows.Key(0)); err != nil || n != min(i+1, most) {
			t.Errorf("after %d loads: %d files, %v", i+1, n, err)
		}
	}
	check(t, l.Close())
	w.holds(want)
	w.gone(*at)
	if text := w.warned.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "its rows are written with Put") {
		t.Error(text)
	}
}

// A directory that HDFS accepts no more bytes for: the rows go to Put, and the log has the reason.
func TestRowsAreWrittenWithPutIfTheStagingDirectoryIsFull(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	w := newWorld(t, c, layoutOf(t, schema.LayoutTyped))
	w.wait = 20 * time.Second // longer than a busy machine needs to connect
	l, at := w.loader(nil)
	_, dir, err := hdfs.SplitURL(*at)
	check(t, err)
	if _, err := c.Java(nil, "org.apache.hadoop.hdfs.tools.DFSAdmin", "-setSpaceQuota", "1k", dir); err != nil {
		t.Fatal(err)
	}
	rows := w.lines(tabletest.NewLog("web01", 1), 1500)
	want := map[string]string{}
	check(t, l.Put(t.Context(), rows))
	check(t, l.Flush(t.Context()))
	addText(want, rows)
	check(t, l.Close())
	w.holds(want)
	w.gone(*at)
	if text := w.warned.String(); !strings.Contains(text, "rows are written with Put") || !strings.Contains(text, "quota") {
		t.Error(text)
	}
}

// The server has loaded the file, and its answer was lost: here another client loads the file first.
func TestAFileThatWasLoadedAlreadyIsLoadedOnce(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	w := newWorld(t, c, layoutOf(t, schema.LayoutTyped))
	var earlier atomic.Int32
	var l *bulkload.Loader
	l, at := w.loader(func(s *staging, ctx context.Context, localPath, name string) error {
		if err := s.Archive.Store(ctx, localPath, name); err != nil {
			return err
		}
		if earlier.Add(1) == 1 {
			return bulkload.LoadStaged(ctx, l, localPath, name)
		}
		return nil
	})
	want := map[string]string{}
	rows := w.lines(tabletest.NewLog("web01", 1), 1500)
	check(t, l.Put(t.Context(), rows))
	addText(want, rows)
	check(t, l.Flush(t.Context()))
	check(t, l.Close())
	w.holds(want)
	w.gone(*at)
	if earlier.Load() < 2 {
		t.Error("the file was not uploaded again")
	}
}

// A process is killed with files on the local disk and in the staging directory.
func TestTheNextProcessRemovesWhatAnEarlierOneLeft(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	w := newWorld(t, c, layoutOf(t, schema.LayoutTyped))
	killed := errors.New("killed")
	l, first := w.loader(func(s *staging, ctx context.Context, localPath, name string) error {
		check(t, s.Archive.Store(ctx, localPath, name))
		left, err := filepath.Glob(filepath.Join(w.dir, "*.*"))
		check(t, err)
		for _, path := range left { // as they are at this moment
			if strings.HasSuffix(path, ".kept") {
				continue // by the upload of another region's file
			}
			b, err := os.ReadFile(path)
			check(t, err)
			check(t, os.WriteFile(path+".kept", b, 0o600))
		}
		return killed
	})
	check(t, l.Put(t.Context(), w.lines(tabletest.NewLog("web01", 1), 1500)))
	check(t, l.Flush(t.Context()))
	check(t, bulkload.Abandon(l))
	left, err := filepath.Glob(filepath.Join(w.dir, "*.kept"))
	check(t, err)
	if len(left) < 2 {
		t.Fatalf("the killed process left %v", left)
	}
	for _, path := range left {
		check(t, os.Rename(path, strings.TrimSuffix(path, ".kept")))
	}
	next, second := w.loader(nil)
	check(t, next.Close())
	w.gone(*first)
	w.gone(*second)
}
