package bulkload

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
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
	// uploads is the number of files that are loaded at a time.
	uploads = 4
)

// Loader writes rows as files, and what cannot be in one with Put. It is safe for concurrent use,
// except Close.
type Loader struct {
	o       Options
	cluster *region.Cluster
	regions *region.Table
	retries *retry.Registry
	table   Table
	lock    *os.File
	session *session
	limits  fileLimits

	// token is held by a running Put or Flush, and guards all up to mu.
	token      chan struct{}
	runs       map[*region.Region]*run
	last       *run
	localBytes int64
	rest       schema.Rows // for Put
	memory     memory
	// broken is the error after which rows are neither in a file nor in the table: no later Flush
	// may succeed.
	broken error

	mu         sync.Mutex
	reason     error             // why rows go to Put now; nil: they do not
	qualifiers map[string]string // one string for each, for rows that are read from files
}

// Open asks the cluster for a staging directory, and removes those of earlier processes. After an
// error the table's own Put can be used, which may fail for the same reason.
func Open(ctx context.Context, cluster *region.Cluster, regions *region.Table, retries *retry.Registry, table Table, o Options) (l *Loader, err error) {
	o.WindowBytes, o.LocalBytes = cmp.Or(o.WindowBytes, maxWindowBytes), cmp.Or(o.LocalBytes, maxLocalBytes)
	l = &Loader{o: o, cluster: cluster, regions: regions, retries: retries, table: table,
		limits: fileLimits{maxExcludedFiles, maxStoreFiles}, token: make(chan struct{}, 1), runs: map[*region.Region]*run{}, qualifiers: map[string]string{}}
	if l.lock, err = lockDir(o.Dir); err != nil {
		return nil, fmt.Errorf("bulk load: %w", err)
	}
	if err = l.sweep(ctx); err == nil {
		l.session, err = l.prepare(ctx)
	}
	// Whether the file system answers, before any row is accepted.
	if err == nil {
		_, err = l.session.staging.Has(ctx, l.session.stagedName("none"))
	}
	if err == nil {
		_, err = l.session.staging.Token(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bulk load: %w", err), l.Close())
	}
	return l, nil
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
	if l.failed() {
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
	if l.localBytes >= l.o.LocalBytes {
		if err := l.loadAll(ctx); err != nil {
			return fmt.Errorf("bulk load: %w", err)
		}
	}
	return l.table.Put(ctx, &l.rest)
}

// fits reports whether a row can be in a file.
func fits(key []byte, cells []schema.Cell) bool {
	bytes := 0
	for i := range cells {
		bytes += len(cells[i].Value)
	}
	return len(key) > 0 && len(cells) > 0 && bytes < maxRowBytes
}

// add adds a row to the run of its region.
func (l *Loader) add(ctx context.Context, key []byte, time int64, cells []schema.Cell) error {
	if l.last == nil || !l.last.region.Has(key) {
		r, err := l.locate(ctx, key)
		if err != nil {
			return err
		}
		if l.last = l.runs[r]; l.last == nil {
			if len(l.runs) >= maxRuns {
				if err := l.loadAll(ctx); err != nil {
					return err
				}
			}
			l.last = l.newRun(ctx, r)
			l.runs[r] = l.last
		}
	}
	if l.last.full {
		l.rest.Append(key, time, cells)
		return nil
	}
	return l.addTo(ctx, l.last, key, time, cells)
}

// newRun begins a run for a region.
func (l *Loader) newRun(ctx context.Context, r *region.Region) *run {
	n, ok := l.storeFiles(ctx, r)
	exclude, full := l.limits.addition(n, ok)
	if full {
		l.o.Logger.Info("region has too many files, its rows are written with Put", "table", l.regions.Name(), "files", n, "limit", l.limits.most)
	}
	return &run{region: r, window: window{memory: &l.memory}, exclude: exclude, full: full}
}

// locate finds a key's region.
func (l *Loader) locate(ctx context.Context, key []byte) (r *region.Region, err error) {
	if r := l.regions.Known(key); r != nil {
		return r, nil
	}
	err = l.cluster.Retry(ctx, "a region of "+l.regions.Name(), func(ctx context.Context) error {
		r, err = l.regions.Locate(ctx, key)
		return err
	})
	return r, err
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
// an error the next call goes on with the rest.
func (l *Loader) loadAll(ctx context.Context) error {
	for _, r := range l.runs {
		if err := l.end(ctx, r); err != nil {
			l.broken = fmt.Errorf("bulk load: %w", err)
			return err
		}
	}
	l.last = nil
	group, loading := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, r := range l.runs {
		group.Go(func() error { return l.loadRun(loading, r) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	clear(l.runs)
	l.localBytes = 0
	return nil
}

// loadRun loads the files of a run, as one.
func (l *Loader) loadRun(ctx context.Context, r *run) error {
	if len(r.files) > 1 {
		merged, err := l.merge(r.files, r.exclude)
		if err != nil {
			return err
		}
		r.files = append(r.files[:0], merged)
	}
	for len(r.files) > 0 {
		if err := l.load(ctx, r.files[0]); err != nil {
			return err
		}
		r.files = r.files[1:]
	}
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
	var errs []error
	for _, r := range l.runs {
		errs = append(errs, r.discard()...)
	}
	if s := l.session; s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		if err := l.cleanup(ctx, s.token); err != nil {
			l.o.Logger.Warn("cannot remove the staging directory, will retry at the next start", "directory", s.token, "err", err)
		}
		errs = append(errs, s.staging.Close())
	}
	return errors.Join(append(errs, l.lock.Close())...)
}

func remoteError(err error) *rpc.RemoteError {
	var remote *rpc.RemoteError
	errors.As(err, &remote)
	return remote
}

// crosses reports whether a file has rows outside the region.
func (f *localFile) crosses(r *region.Region) bool {
	return bytes.Compare(f.first, r.Start) < 0 || !r.Has(f.last)
}

// giveUp lets all further rows go to Put.
func (l *Loader) giveUp(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		l.reason = reason
		l.o.Logger.Warn("bulk load failed, rows are written with Put", "table", l.regions.Name(), "reason", reason)
	}
}

// failed reports whether rows go to Put.
func (l *Loader) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason != nil
}

// intern returns a qualifier as a string; there are some dozens of them.
func (l *Loader) intern(qualifier []byte) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.qualifiers[string(qualifier)]
	if !ok {
		s = string(qualifier)
		l.qualifiers[s] = s
	}
	return s
}
