package tail

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/parse"
	"sluice/schema"
)

// Tailer follows logs. Run is its only goroutine; Deliveries, Status and a
// Delivery's Release may be used from others.
type Tailer struct {
	cfg   Config
	gate  Gate
	watch *watcher
	seed  maphash.Seed
	began time.Time
	now   time.Time // of the present step

	matchers []*matcher
	dirs     map[string]*directory
	dirsBy   map[int32]*directory
	files    map[logfile.ID]*file
	coldBy   map[int32]*file
	hot      []*file
	sweeping []*file
	turn     int
	moving   map[uint32]*file    // names that went, by cookie, until they come
	renamed  map[uint32]*matcher // the source of a log that was renamed before it was seen
	touched  []touch             // names that came with the events at hand
	held     []*file             // look like copies of a log that is there
	failing  []*file
	missing  []*checkpoint.Stream // whose files are not found
	rests    []*rest
	nextRest time.Time           // not before that one is opened
	waiting  []*file             // closed with unread lines, for want of a descriptor
	polled   map[*file]bool      // closed, and compared by stat
	devices  map[uint64]bool     // whether a device's file system is local
	listings map[string]*listing // of the present step
	heads    heads
	atStart  []*checkpoint.Stream // those that were known before this life
	// bornAt, if any, replaces what file systems say of when a file was made.
	bornAt func(logfile.ID) int64
	// positions are how far this life read the streams whose files are gone.
	positions map[schema.StreamID]int64
	first     bool // the first listing is under way
	skipOld   bool // nothing is known yet, and old lines are not wanted
	relist    bool // events were lost

	lastSweep, lastPoll, nextHousekeeping, nextDirs, nextListing time.Time
	pace                                                         pace
	unwatchable                                                  map[string]bool // reasons why idle logs are not watched, logged already

	orphans         int   // logs without a name that are open
	maxOpen, budget int   // logs that may be open: as configured, and at present
	noDescriptors   bool  // said once
	inUse           *file // is being looked at: it stays open, whatever else is opened

	current *Delivery
	free    chan *Delivery
	out     chan *Delivery
	starved atomic.Bool
	scratch []byte // the beginning of a file
	before  [markBytes]byte

	counters Counters
	statusMu sync.Mutex
	status   Status
}

// Counters count what a Tailer has done. They may be read at any time.
type Counters struct {
	Bytes, Lines, Streams atomic.Int64
	// LostBytes were deleted or truncated before they were read; LostFiles counts
	// the times it happened, with those whose length is not known.
	LostBytes, LostFiles atomic.Int64
	// HoleBytes are NUL bytes before lines.
	HoleBytes atomic.Int64
	// Failures counts the times a log or a directory could not be read.
	Failures atomic.Int64
}

// New prepares a Tailer. Nothing is read before Run.
func New(cfg Config) (*Tailer, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.writers == nil {
		cfg.writers = writersOf
	}
	if cfg.local == nil {
		cfg.local = isLocal
	}
	if cfg.Position == nil {
		cfg.Position = cfg.Checkpoint.Stored
	}
	t := &Tailer{
		cfg: cfg, gate: cfg.Gate, seed: maphash.MakeSeed(), now: cfg.Now(), first: true,
		dirs: map[string]*directory{}, dirsBy: map[int32]*directory{}, files: map[logfile.ID]*file{},
		coldBy: map[int32]*file{}, moving: map[uint32]*file{}, renamed: map[uint32]*matcher{},
		polled: map[*file]bool{}, devices: map[uint64]bool{}, maxOpen: cfg.MaxOpen,
		positions: map[schema.StreamID]int64{}, listings: map[string]*listing{}, heads: heads{}, atStart: cfg.Checkpoint.Streams(),
		unwatchable: map[string]bool{},
		free:        make(chan *Delivery, buffers), out: make(chan *Delivery, buffers),
		skipOld: cfg.FromEnd && len(cfg.Checkpoint.Streams()) == 0,
		scratch: make([]byte, max(parse.HeadBytes, schema.MaxHeadBytes)),
	}
	if t.maxOpen == 0 {
		t.maxOpen = processBudget()
	}
	t.budget = t.maxOpen
	t.began, t.status.At = t.now, t.now
	for _, l := range cfg.Checkpoint.Losses() { // until they are acknowledged
		t.counters.LostBytes.Add(l.Bytes)
		t.counters.LostFiles.Add(1)
	}
	for range buffers {
		t.free <- &Delivery{tailer: t}
	}
	for _, s := range cfg.Sources {
		m, err := newMatcher(s)
		if err != nil {
			return nil, err
		}
		t.matchers = append(t.matchers, m)
	}
	return t, nil
}

// Deliveries are what is read, in order for each stream. The channel is closed
// when Run returns.
func (t *Tailer) Deliveries() <-chan *Delivery { return t.out }

// Counters are the Tailer's.
func (t *Tailer) Counters() *Counters { return &t.counters }

// Run follows the logs until ctx is done. What it read by then is delivered.
// A log that fails is tried again; an error is one of the machine's.
func (t *Tailer) Run(ctx context.Context) (err error) {
	defer close(t.out)
	if err := t.start(); err != nil {
		return err
	}
	defer t.stop()
	defer context.AfterFunc(ctx, t.watch.wake)()
	for ctx.Err() == nil {
		pause, cold, err := t.step(ctx)
		if err != nil {
			return err
		}
		if pause == 0 {
			continue
		}
		if t.gate != nil && len(t.hot) > 0 {
			pause = min(pause, gateInterval)
		}
		if err := t.watch.wait(pause, cold); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (t *Tailer) start() error {
	w, err := newWatcher()
	if w == nil {
		return fmt.Errorf("tail: %w", err)
	}
	t.watch = w
	if err != nil {
		t.cfg.Log.Warn("inotify not available, directories are listed instead and idle logs cost CPU", "err", err, "hint", instanceHint(err, descriptorLeft()))
	}
	return nil
}

func (t *Tailer) stop() {
	t.noteSizes()
	for _, f := range t.files {
		t.closeFile(f)
	}
	t.watch.close() //nolint:errcheck // nothing is written to it
}

// step does all there is to do now. It returns how long to wait (negative: until
// something happens), and whether a write to a cold file ends the wait.
func (t *Tailer) step(ctx context.Context) (pause time.Duration, cold bool, err error) {
	t.now = t.cfg.Now()
	clear(t.listings)
	if t.gate != nil {
		t.gate.Allow(0)
	}
	if t.first {
		t.listAll()
		t.meetAll()
		t.first = false
		t.warnOfUnmatched()
		t.nextHousekeeping = t.now.Add(housekeeping)
	}
	if err := t.events(); err != nil {
		return 0, false, err
	}
	interval := t.cfg.interval(len(t.hot))
	if early := interval - t.now.Sub(t.lastSweep); early > 0 && early <= interval {
		return early, false, nil // names came: they are seen to, the sweep is not due
	}
	if err := t.coldEvents(); err != nil {
		return 0, false, err
	}
	t.lastSweep = t.now
	due := !t.now.Before(t.nextHousekeeping)
	if due {
		t.housekeep(ctx)
	}
	restsWait := t.continueRests(ctx)
	again, waits := t.sweep(ctx)
	if due && t.now.Sub(t.pace.at) >= statusInterval { // after the sweep: sizes are those of a moment ago
		t.reckon()
		t.relieve()
	}
	switch {
	case waits || restsWait:
		return t.waitForRoom(interval), false, nil
	case again || len(t.rests) > 0 && !t.now.Before(t.nextRest) || len(t.waiting) > 0:
		t.lastSweep = time.Time{}
		return 0, false, nil
	case len(t.hot) > 0:
		return interval, false, nil
	}
	return max(t.nextHousekeeping.Sub(t.now), minInterval), true, nil
}

// waitForRoom is how long to wait when something was left unread: a buffer that
// comes back ends the wait early.
func (t *Tailer) waitForRoom(interval time.Duration) time.Duration {
	t.lastSweep = time.Time{}
	if t.gate == nil || t.starved.Load() {
		return interval
	}
	return max(t.gate.Wait(), time.Millisecond)
}

// events takes note of names that came, moved and went.
func (t *Tailer) events() error {
	overflowed, err := t.watch.drain(t.watch.dirs, t.dirEvent)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	clear(t.renamed)
	t.seeTouched()
	for cookie, f := range t.moving { // the other half would have come with it
		delete(t.moving, cookie)
		if len(f.places) == 0 {
			f.away = true
		}
	}
	if overflowed || t.relist {
		t.relist = false
		t.listAll()
	}
	return nil
}

// coldEvents opens the cold files that were written.
func (t *Tailer) coldEvents() error {
	overflowed, err := t.watch.drain(t.watch.cold, t.coldEvent)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	if overflowed {
		for _, f := range slices.Collect(maps.Values(t.coldBy)) {
			t.warm(f)
		}
	}
	return nil
}

// drop forgets a file.
func (t *Tailer) drop(f *file) {
	t.closeFile(f)
	t.unwatchFile(f)
	delete(t.polled, f)
	if f.stream != nil {
		t.positions[f.stream.ID] = max(t.positions[f.stream.ID], f.read)
	}
	for _, p := range f.places {
		delete(p.dir.files, p.name)
	}
	f.places = nil
	if t.files[f.id] == f {
		delete(t.files, f.id)
	}
	same := func(o *file) bool { return o == f }
	t.held = slices.DeleteFunc(t.held, same)
	t.failing = slices.DeleteFunc(t.failing, same)
	t.waiting = slices.DeleteFunc(t.waiting, same)
}
