package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/retry"
	"sluice/schema"
)

// Config is what a Collector works with.
type Config struct {
	FS         vfs.FS
	SpoolDir   string
	Checkpoint *checkpoint.File
	// Table gets a row a line; nil: there is none.
	Table Table
	// TableReady is closed when Table can be used; nil: it can be now. Until then lines wait
	// in the spool, for which SpoolAhead must be set.
	TableReady <-chan struct{}
	Archive    Archive
	Naming     Naming
	// Columns gets a Parquet file a segment, in the directory that ColumnNaming says; nil:
	// there is none. One of Table and Columns is there.
	Columns      Columns
	ColumnNaming Directory
	// AllLines stores each line in Columns also where its fields rebuild it.
	AllLines bool
	// rowGroupRows and columnBytes are columnar's and columnFileBytes, but in tests.
	rowGroupRows, columnBytes int
	// RollBytes is the length at which a segment is sealed and archived.
	RollBytes int64
	// RollInterval after its first line a segment is sealed and archived, RollIdle
	// after its last one; 0 is never.
	RollInterval, RollIdle time.Duration
	// SpoolMaxBytes bounds the segments on our disk; at it Append says ErrBusy. 0
	// is no bound.
	SpoolMaxBytes int64
	// HostShare is how many times what is left free of the spool one host may have in it:
	// the fuller it is, the less for each, and there is always room for another host. 0:
	// one host may have all.
	HostShare int
	// OpenSegments bounds the segments of all hosts that are open at a time, those that
	// were rolled and are not sealed among them; 0: 512.
	OpenSegments int
	// DeclareFound: a stream that a segment in the spool names and the checkpoint does not
	// is what the segment says. Else it is an error.
	DeclareFound bool
	// KeepLocal is how long a segment's file stays after it is stored.
	KeepLocal time.Duration
	// Level is gzip's, 1 to 9.
	Level int
	// Uploads is how many segments are archived side by side; 0 is one.
	Uploads int
	// MarkClosed: directories of days that ended ClosedGrace ago are marked as
	// complete, when all that came for them is archived.
	MarkClosed  bool
	ClosedGrace time.Duration
	// Patient: what fails is tried again until it works, and State says so. Else
	// the first error ends the collector.
	Patient bool
	// SpoolAhead: a slow table does not keep batches waiting. What it has not taken
	// is read from the segments again. Else Append waits for the table.
	SpoolAhead bool
	Log        *slog.Logger
	// Now is the clock of State and KeepLocal; nil: time.Now.
	Now func() time.Time
}

const (
	// tableQueueBytes bounds the lines that wait for the table in memory. Their rows
	// take up to four times as much.
	tableQueueBytes = 2 << 20
)

// ErrBusy is returned if the batch was not accepted and can be offered again later: the spool is
// full, or its disk fails. State says which.
var ErrBusy = errors.New("not taken for now")

// errEnded is what calls get that come after Close or Abort.
var errEnded = errors.New("the collector has ended")

// Counters count what a Collector has done. They may be read at any time.
type Counters struct {
	// Lines and Bytes were received, Rows are in the table (in Columns, if there is no
	// Table), Segments in the archive.
	Lines, Bytes, Rows, ParseErrors, Segments atomic.Int64
	// Batches were received; Duplicates are bytes that were received before.
	Batches, Duplicates atomic.Int64
}

// Collector takes batches to the table and the archive. Append may be called by
// several goroutines. Behind it one goroutine writes rows and commits (store.go), one
// fills Parquet files (columns.go), and some seal and archive segments (finish.go).
type Collector struct {
	cfg      Config
	encoders chan *segment.Encoder
	queue    *semaphore.Weighted // bytes of lines that wait for the table
	parcels  chan *parcel
	spare    sync.Pool // *parcel
	wake     chan struct{}
	rolled   chan *spooled
	syncs    chan struct{}
	closing  chan time.Time // at which days are looked at that may have ended
	retries  retry.Registry
	Counters Counters
	columns  *columnQueue
	swept    chan error // gets the result of the first sweep if it took long; nil: it was done

	life  context.Context // ends the workers
	end   context.CancelFunc
	group *errgroup.Group

	mu      sync.Mutex
	streams map[schema.StreamID]*streamState
	spool   spool
	now     time.Time // of the last tick
	flush   bool      // the table's rows are to be made durable
	// forgetting: files of what is stored are being removed.
	forgetting bool
	arrivals   map[string]*arrivals // by host
	backlog    backlog              // received, and not offered to the table
	slow       map[string]Slow
	begun      map[string]*begun // segments, by host
	dropped    int               // pieces that a failing disk did not keep
	err        error             // why nothing goes on
	changed    chan struct{}
}

// New recovers what an earlier process left in the spool (a torn tail is
// cut; whole batches are written to the table again and archived) and starts to
// work. The caller ends it with Close or Abort. ctx is for the start only.
func New(ctx context.Context, cfg Config) (*Collector, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Uploads = max(cfg.Uploads, 1)
	cfg.columnBytes = cmp.Or(cfg.columnBytes, columnFileBytes)
	cfg.OpenSegments = cmp.Or(cfg.OpenSegments, maxOpenSegments)
	c := &Collector{
		cfg: cfg, encoders: make(chan *segment.Encoder, runtime.GOMAXPROCS(0)), queue: semaphore.NewWeighted(tableQueueBytes),
		parcels: make(chan *parcel, 1024), wake: make(chan struct{}, 1),
		rolled: make(chan *spooled, cfg.Uploads), syncs: make(chan struct{}, 1), closing: make(chan time.Time, 1),
		streams: map[schema.StreamID]*streamState{}, slow: map[string]Slow{}, arrivals: map[string]*arrivals{}, begun: map[string]*begun{}, backlog: backlog{}, changed: make(chan struct{}),
		spool: spool{fsys: cfg.FS, dir: cfg.SpoolDir, open: map[segmentKey]*spooled{}, opened: map[string]int{}, hosts: map[string]*share{}},
	}
	c.spare.New = func() any { return new(parcel) }
	c.columns = newColumnQueue()
	c.retries.Now, c.retries.Log = cfg.Now, cfg.Log
	for range cap(c.encoders) {
		enc, err := segment.NewEncoder(cfg.Level)
		if err != nil {
			return nil, err
		}
		c.encoders <- enc
	}
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := c.takeUp(ctx); err != nil {
		c.end()
		if c.swept != nil {
			<-c.swept
		}
		return nil, err
	}
	c.start()
	return c, nil
}

// takeUp readies archive and spool.
func (c *Collector) takeUp(ctx context.Context) error {
	if err := c.sweepFirst(ctx); err != nil {
		return err
	}
	if err := vfs.MkdirAll(c.cfg.FS, c.cfg.SpoolDir, 0o750); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	cut, err := c.recover()
	if err != nil {
		return fmt.Errorf("spool: take up what an earlier run left: %w", err)
	}
	if cut > 0 {
		c.cfg.Log.Warn("torn segment truncated; its lines are read from the log again", "bytes", cut)
	}
	if n := len(c.spool.due); n > 0 {
		c.cfg.Log.Info("recovered segments of the previous run, finishing them", "segments", n)
	}
	return nil
}

// start starts the workers.
func (c *Collector) start() {
	c.group, c.life = errgroup.WithContext(c.life)
	worker := func(run func(context.Context) error) {
		c.group.Go(func() error {
			err := run(c.life)
			c.fail(err)
			return err
		})
	}
	worker(c.store)
	worker(c.syncAll)
	for range c.cfg.Uploads {
		worker(c.finishAll)
		if c.cfg.Columns != nil {
			worker(c.storeColumns)
		}
	}
	if c.cfg.Columns != nil {
		worker(c.fillColumns)
	}
	if c.cfg.MarkClosed {
		worker(c.markAll)
	}
	worker(c.sweepAll)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.feed()
}

// Tick does what is due by the clock: rows become durable, and segments that are
// old or idle are sealed and archived. It does not wait for that.
func (c *Collector) Tick(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
	c.spool.rollOld(now, c.cfg.RollInterval, c.cfg.RollIdle)
	c.forgetStreams()
	c.forgetBegun()
	c.flush = true
	c.feed()
	c.nudge()
	select {
	case c.closing <- now:
	default: // one is under way
	}
	return c.err
}

// Close archives what is left and brings the checkpoint up to date; it waits for
// that until ctx ends. What is not stored then is taken up by the next life.
func (c *Collector) Close(ctx context.Context) error {
	err := c.drain(ctx)
	if err == nil && c.cfg.MarkClosed {
		err = c.mark(ctx, c.cfg.Now())
	}
	c.fail(errEnded)
	return errors.Join(err, c.stop())
}

// drain rolls every segment and waits until all is stored.
func (c *Collector) drain(ctx context.Context) error {
	c.mu.Lock()
	c.flush = true
	c.mu.Unlock()
	for {
		c.mu.Lock()
		c.spool.roll(0)
		c.feed()
		err, changed := c.err, c.changed
		left := slices.ContainsFunc(c.spool.held, func(sp *spooled) bool { return !sp.stored }) || c.flush || c.forgetting
		c.mu.Unlock()
		if err != nil || !left {
			return err
		}
		c.nudge()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d segments are not stored yet, the next start goes on with them: %w", c.State().Segments, ctx.Err())
		}
	}
}

// Abort lets go of everything at once. Nothing is lost: the next life goes on
// from there.
func (c *Collector) Abort() error {
	c.fail(errEnded)
	return c.stop()
}

// stop ends the workers and closes the open segments' files.
func (c *Collector) stop() error {
	c.end()
	c.group.Wait() //nolint:errcheck // c.err is why they end
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spool.close()
}

// Dropped returns the number of received batches that a failed disk lost since the start. They
// have to be offered again.
func (c *Collector) Dropped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Done is closed when the collector stops working, because of an error or because it is closed.
func (c *Collector) Done() <-chan struct{} { return c.life.Done() }

// Err returns the error that stopped the collector, or nil.
func (c *Collector) Err() error {
	if c.life.Err() == nil {
		return nil
	}
	return c.ended(errEnded)
}

// SaveCheckpoint saves the checkpoint. A patient collector retries until it succeeds.
func (c *Collector) SaveCheckpoint(ctx context.Context) error {
	return c.attempt(ctx, "checkpoint", c.cfg.Checkpoint.Save)
}

// fail ends what waits, for good; the first reason counts.
func (c *Collector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && err != nil && !errors.Is(err, context.Canceled) {
		c.err = err
	}
	c.announce()
}

// announce wakes who waits for a change. c.mu is held.
func (c *Collector) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// nudge wakes the goroutine that stores.
func (c *Collector) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
