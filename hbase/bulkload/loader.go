package bulkload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/retry"
	"sluice/schema"
)

// Table writes rows with Put; an hbase.Table is one.
type Table interface {
	Put(ctx context.Context, rows *schema.Rows) error
	Flush(ctx context.Context) error
}

// Options are the settings of a Loader. Dir, OpenStaging and Layout are required.
type Options struct {
	// Dir is a directory on the local disk for the files until they are loaded. One process at a
	// time uses it.
	Dir string
	// OpenStaging opens the staging directory of a URI.
	OpenStaging func(uri string) (Staging, error)
	// Layout is the table's.
	Layout schema.Layout
	// Compression is that of the files; compactions write the family's.
	Compression hfile.Compression
	// MinFileBytes is the size of a region's rows below which no file is begun: they go to Put.
	MinFileBytes int
	// WindowBytes and LocalBytes bound the rows in memory and the files on the local disk; 0: 32 MiB
	// and 4 GiB.
	WindowBytes int
	LocalBytes  int64
	// Logger is required.
	Logger *slog.Logger
}

const (
	// maxRowBytes is the size of a row's values above which it is not sorted.
	maxRowBytes = 1 << 20
	// maxLocalBytes bounds the files on the local disk: beyond it they are loaded before a Flush.
	maxLocalBytes = 4 << 30
	// maxRuns bounds the regions with a window and an open file; before a further one all are loaded.
	maxRuns = 512
)

// Loader writes rows as files, and what cannot be in one with Put. It is safe for concurrent use,
// except Close.
//
// It has a part for each step: sorter makes files of rows, uploader loads them into the regions;
// localDir has the files, directories the staging directory, and servers makes the calls to HBase.
type Loader struct {
	local       *localDir
	servers     *servers
	directories *directories
	table       Table
	limits      fileLimits
	localBytes  int64 // of files on the local disk, from which they are loaded
	lock        *os.File
	session     *session
	uploader    *uploader

	// token is held by a running Put or Flush, and guards what follows.
	token  chan struct{}
	sorter sorter
	last   *run        // the one of the previous row
	rest   schema.Rows // for Put
	// broken is the error after which rows are neither in a file nor in the table: no later Flush
	// may succeed.
	broken error
}

// newLoader returns a Loader that has no staging directory yet.
func newLoader(cluster *region.Cluster, regions *region.Table, retries *retry.Registry, table Table, o Options) *Loader {
	local := &localDir{path: o.Dir, family: o.Layout.Family, compression: o.Compression}
	calls := &servers{cluster: cluster, regions: regions, family: o.Layout.Family, logger: o.Logger}
	return &Loader{
		local: local, servers: calls, table: table,
		directories: &directories{
			servers: calls, records: records{dir: o.Dir, table: regions.Name()},
			family: o.Layout.Family, open: o.OpenStaging, logger: o.Logger,
		},
		limits: fileLimits{maxExcludedFiles, maxStoreFiles}, localBytes: cmp.Or(o.LocalBytes, maxLocalBytes),
		uploader: &uploader{
			servers: calls, local: local, table: table, retries: retries,
			fallback: fallback{table: regions.Name(), logger: o.Logger},
		},
		token: make(chan struct{}, 1),
		sorter: sorter{
			local: local, table: table, windowBytes: cmp.Or(o.WindowBytes, maxWindowBytes), minFileBytes: o.MinFileBytes,
			runs: map[*region.Region]*run{},
		},
	}
}

// Open asks the cluster for a staging directory, and removes those of earlier processes. After an
// error the table's own Put can be used, which may fail for the same reason.
func Open(ctx context.Context, cluster *region.Cluster, regions *region.Table, retries *retry.Registry, table Table, o Options) (l *Loader, err error) {
	l = newLoader(cluster, regions, retries, table, o)
	if l.lock, err = lockDir(o.Dir); err != nil {
		return nil, fmt.Errorf("bulk load: %w", err)
	}
	if err := l.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bulk load: %w", err), l.Close())
	}
	return l, nil
}

// Sweep removes what killed processes left: files in o.Dir and, if they were for this table, their
// staging directories. It does nothing if another process uses o.Dir.
func Sweep(ctx context.Context, cluster *region.Cluster, regions *region.Table, o Options) error {
	left, err := fs.Glob(os.DirFS(o.Dir), "*.*")
	if err != nil || len(left) == 0 {
		return err
	}
	lock, err := lockDir(o.Dir)
	if errors.Is(err, errInUse) {
		return nil
	}
	if err == nil {
		err = errors.Join(newLoader(cluster, regions, nil, nil, o).sweep(ctx), lock.Close())
	}
	if err != nil {
		return fmt.Errorf("bulk load: %w", err)
	}
	return nil
}

func (l *Loader) sweep(ctx context.Context) error {
	if err := l.local.sweep(); err != nil {
		return err
	}
	return l.directories.sweep(ctx)
}

// prepare removes what earlier processes left, and opens a staging directory.
func (l *Loader) prepare(ctx context.Context) (err error) {
	if err := l.sweep(ctx); err != nil {
		return err
	}
	if l.session, err = l.directories.prepare(ctx); err != nil {
		return err
	}
	l.uploader.session = l.session
	// Whether the file system answers, before any row is accepted.
	if _, err = l.session.staging.Has(ctx, l.session.stagedName("none")); err != nil {
		return err
	}
	_, err = l.session.staging.Token(ctx)
	return err
}

// Put sorts rows into files. They are durable when the next Flush has returned nil, and not visible
// before. Errors are those of Table.Put, and of the local disk.
func (l *Loader) Put(ctx context.Context, rows *schema.Rows) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.release()
	if l.broken != nil {
		return l.broken
	}
	if l.uploader.fallback.active() {
		return l.table.Put(ctx, rows)
	}
	l.rest.Reset()
	for i := range rows.Len() {
		key, time, cells := rows.Key(i), rows.Time(i), rows.Cells(i)
		if time <= 0 || !fits(key, cells) {
			// Without a time, and the stream directory: their timestamps are the server's. Too
			// large: Put finds out what the server accepts.
			l.rest.Append(key, time, cells)
			continue
		}
		if err := l.add(ctx, key, time, cells); err != nil {
			l.broken = fmt.Errorf("bulk load: %w", err)
			return l.broken
		}
	}
	// Before the load: if it fails, a later Flush may succeed, and these rows would be lost.
	if err := l.table.Put(ctx, &l.rest); err != nil {
		return err
	}
	if l.sorter.localBytes() < l.localBytes {
		return nil
	}
	if err := l.loadAll(ctx); err != nil {
		return fmt.Errorf("bulk load: %w", err)
	}
	return nil
}

// fits reports whether a row can be in a file.
func fits(key []byte, cells []schema.Cell) bool {
	return len(key) > 0 && len(cells) > 0 && valueBytes(cells) < maxRowBytes
}

func valueBytes(cells []schema.Cell) (n int) {
	for i := range cells {
		n += len(cells[i].Value)
	}
	return n
}

// add adds a row to the run of its region.
func (l *Loader) add(ctx context.Context, key []byte, time int64, cells []schema.Cell) error {
	if l.last == nil || !l.last.region.Has(key) {
		r, err := l.servers.locate(ctx, key)
		if err != nil {
			return err
		}
		if l.last = l.sorter.runs[r]; l.last == nil {
			if len(l.sorter.runs) >= maxRuns {
				if err := l.loadAll(ctx); err != nil {
					return err
				}
			}
			l.last = l.newRun(ctx, r)
		}
	}
	if l.last.full {
		l.rest.Append(key, time, cells)
		return nil
	}
	return l.sorter.add(ctx, l.last, key, time, cells)
}

// newRun begins a run for a region.
func (l *Loader) newRun(ctx context.Context, r *region.Region) *run {
	n, ok := l.servers.storeFiles(ctx, r)
	exclude, full := l.limits.addition(n, ok)
	if full {
		l.servers.logger.Info("region has too many files, its rows are written with Put", "table", l.servers.regions.Name(), "files", n, "limit", l.limits.most)
	}
	return l.sorter.begin(r, exclude, full)
}

// Flush returns nil when every row of earlier Puts is durable.
func (l *Loader) Flush(ctx context.Context) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.release()
	if l.broken != nil {
		return l.broken
	}
	if err := l.loadAll(ctx); err != nil {
		return fmt.Errorf("bulk load: %w", err)
	}
	return l.table.Flush(ctx)
}

// loadAll loads all rows that were put: one file a region. What is loaded is removed, so that after
// an error the next call continues with the rest.
func (l *Loader) loadAll(ctx context.Context) error {
	if err := l.sorter.endAll(ctx); err != nil {
		l.broken = fmt.Errorf("bulk load: %w", err)
		return err
	}
	l.last = nil
	if err := l.uploader.loadAll(ctx, l.sorter.runs); err != nil {
		return err
	}
	l.sorter.clear()
	return nil
}

func (l *Loader) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Loader) release() { <-l.token }

// Close removes the staging directory and local files. It does not flush, nor close the table.
func (l *Loader) Close() error {
	errs := []error{l.sorter.discard()}
	if l.session != nil {
		errs = append(errs, l.directories.close(l.session))
	}
	return errors.Join(append(errs, l.lock.Close())...)
}
