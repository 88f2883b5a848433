package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"sluice/schema"
)

// ErrLocked: another process writes the table.
var ErrLocked = errors.New("another sluice writes this table; stop it, or use another folder (sluice scan can read beside it)")

// ErrClosed: the table was closed, or was opened to be read only.
var ErrClosed = errors.New("embedded: the table is not open for this")

// discard is the logger of those who want none.
var discard = slog.New(slog.DiscardHandler)

// Options say how a table is opened. The zero Options are good.
type Options struct {
	// Layout is what the table must have, or what a new one gets. nil: what it
	// has; typed for a new one.
	Layout *schema.Layout
	// ReadOnly opens what was flushed so far, as it is now, beside a process that
	// may go on writing. Nothing in the folder is changed or locked.
	ReadOnly bool
	// Tolerate, if any, says of an error of the disk that it may pass, such as a full
	// disk. Open returns a table even so; its Put and Flush return the error until
	// Reopen has succeeded.
	Tolerate func(error) bool
	// Logger gets Pebble's own messages, at debug; nil: nobody.
	Logger *slog.Logger

	fs vfs.FS // tests put a disk of their own here
}

// Table is an open table. Its methods are safe for concurrent use, but for Close:
// no other call and no scan may be under way then, and none may follow.
type Table struct {
	dir    string
	layout schema.Layout
	db     *pebble.DB // nil: it is closed, or its disk failed when it was opened

	// Of a table that is only read.
	snapshot *snapshot

	// Of a table that is written.
	options    Options
	disk       *disk
	compacting atomic.Int32  // compactions that are running
	compacted  chan struct{} // holds one when a compaction ended

	mu        sync.Mutex // Put and Flush
	value     []byte
	unflushed int             // bytes Put since the last rotation
	dirty     bool            // something was Put since the last Flush
	flushing  <-chan struct{} // closed when the rotation before is on disk; nil at first
}

// Open opens the table in the folder dir, and makes it if it is not there and is
// not to be read only. Errors that a caller may look for are ErrNotTable,
// ErrNoTable, ErrLocked and *LayoutError; nothing was changed then.
func Open(dir string, o Options) (*Table, error) {
	if o.Logger == nil {
		o.Logger = discard
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	open := openToWrite
	if o.ReadOnly {
		open = openToRead
	}
	t, err := open(dir, o)
	var layout *LayoutError
	if err != nil && !errors.As(err, &layout) {
		err = fmt.Errorf("embedded: open table %s: %w", dir, err)
	}
	return t, err
}

func openToRead(dir string, o Options) (*Table, error) {
	t, err := openSnapshot(dir, o)
	if err != nil {
		return nil, err
	}
	if err := checkLayout(dir, t.layout, o.Layout); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func openToWrite(dir string, o Options) (*Table, error) {
	layout, err := layoutToWrite(dir, o)
	if err != nil {
		return nil, err
	}
	t := &Table{dir: dir, layout: layout, options: o, compacted: make(chan struct{}, 1)}
	if err := t.openStore(); err != nil {
		if o.Tolerate != nil && o.Tolerate(err) {
			return t, nil
		}
		return nil, err
	}
	return t, nil
}

// openStore opens the store. After an error the table is one whose disk failed.
func (t *Table) openStore() error {
	t.disk = newDisk(t.options.fs)
	t.unflushed, t.dirty, t.flushing = 0, false, nil
	err := t.openPebble(t.options.Logger)
	if err == nil {
		err = t.settleLayout()
	}
	if err != nil {
		t.disk.fail(err)
		err = errors.Join(err, t.closeStore())
	}
	return err
}

// Reopen opens the table again after its disk failed, with nothing of what was Put and
// not flushed: that must be Put again. It does nothing to a table that works. No scan
// may be under way.
func (t *Table) Reopen() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.disk == nil {
		return ErrClosed
	}
	if t.disk.failure() == nil {
		return nil
	}
	if err := t.closeStore(); err != nil {
		t.options.Logger.Debug("table whose disk failed closed", "path", t.dir, "err", err)
	}
	if err := t.openStore(); err != nil {
		return fmt.Errorf("embedded: open table %s again: %w", t.dir, err)
	}
	return nil
}

// layoutToWrite says which layout a table in dir has or is to get, and changes
// nothing.
func layoutToWrite(dir string, o Options) (schema.Layout, error) {
	t, err := openSnapshot(dir, o)
	if errors.Is(err, ErrNoTable) {
		return newLayout(o.Layout)
	}
	if err != nil {
		return schema.Layout{}, err
	}
	return t.layout, errors.Join(t.Close(), checkLayout(dir, t.layout, o.Layout))
}

func newLayout(want *schema.Layout) (schema.Layout, error) {
	if want == nil {
		return schema.NewLayout(schema.LayoutTyped)
	}
	return *want, want.Check()
}

func checkLayout(dir string, have schema.Layout, want *schema.Layout) error {
	if want != nil && !have.Equal(*want) {
		return &LayoutError{dir, have, *want}
	}
	return nil
}

func (t *Table) openPebble(log *slog.Logger) error {
	o := pebbleOptions(t.layout, log)
	disk := t.disk // Reopen makes another
	o.FS, o.Logger = disk, diskLog{pebbleLog{log}, disk}
	o.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) { disk.fail(err) },
		DataCorruption:  func(info pebble.DataCorruptionInfo) { o.Logger.Errorf("%s", info) },
		CompactionBegin: func(pebble.CompactionInfo) { t.compacting.Add(1) },
		CompactionEnd: func(pebble.CompactionInfo) {
			t.compacting.Add(-1)
			select {
			case t.compacted <- struct{}{}:
			default:
			}
		},
	}
	if err := t.disk.clearHalfMade(t.dir); err != nil {
		return err
	}
	o.FileCache = newFileCache()
	defer o.FileCache.Unref()
	db, err := pebble.Open(t.dir, o)
	if err != nil {
		return errors.Join(t.disk.failure(), err)
	}
	t.db = db
	if err := t.disk.failure(); err != nil { // Pebble does not know; closeStore lets it write nowhere
		return err
	}
	t.disk.open.Store(true)
	return t.disk.failure()
}

// settleLayout records the layout in a new table, synced. In one that another
// process made since we looked it compares.
func (t *Table) settleLayout() error {
	have, err := readLayout(t.db)
	if !errors.Is(err, ErrNoTable) {
		return errors.Join(err, checkLayout(t.dir, have, &t.layout))
	}
	value := append([]byte(layoutMagic), t.layout.Marshal()...)
	if err := t.db.Set(layoutKey, value, pebble.NoSync); err != nil {
		return err
	}
	t.dirty = true
	return t.flush(context.Background())
}

// Layout is the layout that the table was made with.
func (t *Table) Layout() schema.Layout { return t.layout }

// DiskBytes is the space that the table takes on the disk.
func (t *Table) DiskBytes() int64 {
	if t.db == nil {
		return 0
	}
	return int64(t.db.Metrics().DiskSpaceUsage())
}

// Close lets go of the folder. It does not flush: what was not flushed is
// delivered again.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.snapshot != nil && t.db != nil {
		db := t.db
		t.db = nil
		return errors.Join(db.Close(), t.snapshot.Close())
	}
	err := t.closeStore()
	if err != nil && t.disk.failure() != nil { // Put and Flush have said it, and nothing was to be flushed
		t.options.Logger.Debug("table whose disk failed closed", "path", t.dir, "err", err)
		err = nil
	}
	t.disk = nil
	return err
}

// closeStore closes what openStore opened, if anything.
func (t *Table) closeStore() error {
	if t.db == nil {
		return nil
	}
	db := t.db
	t.db = nil
	close(t.disk.closing)
	return db.Close()
}
