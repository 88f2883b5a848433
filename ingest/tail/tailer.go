package tail

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/parse"
	"sluice/schema"
)

// Tailer follows logs. Run is its only goroutine; Deliveries, Status and Delivery.Release may be
// called from others. It consists of these parts, each of which uses only those before it:
//
//	env           configuration, counters, the time of the current step
//	contents      the first bytes of files, and the mark before a position
//	streams       positions and losses of streams whose files are gone
//	deliveries    the buffers and their reuse
//	fileSet       the files with their state
//	cooler        quiet files: closed, and watched or polled
//	descriptors   which files are open
//	names         which file has which name
//	directories   the directories of the sources, and their lists
//	nameEvents    what is reported about the directories
//	sourceChanges sources that are added and removed
//	strayFinder   access logs that no source matches
//	identifier    which stream a file is, or which log it is a copy of
//	restReader    the parts of streams that compressed copies have
//	searcher      the files that have streams whose own file is gone
//	sweeper       reading
//	opener        files that are found, or were written after they were closed
//	housekeeper   what is done at intervals
//	margins       how long before their deletion lines will be read
//
// Two calls go back: names gives the opener the files that it finds (the interface follower), and
// descriptors asks the restReader how many it has.
type Tailer struct {
	*env
	contents    *contents
	streams     *streams
	deliveries  *deliveries
	set         *fileSet
	cooler      *cooler
	descriptors *descriptors
	names       *names
	directories *directories
	events      *nameEvents
	sources     *sourceChanges
	strays      *strayFinder
	identifier  *identifier
	rests       *restReader
	searcher    *searcher
	sweeper     *sweeper
	opener      *opener
	housekeeper *housekeeper
	margins     *margins

	lastSweep  time.Time
	emptySince time.Time // since when no file is followed; zero: one is
	statusMu   sync.Mutex
	status     Status
}

// New returns a Tailer. Nothing is read before Run.
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
	if cfg.Received == nil {
		cfg.Received = func(*checkpoint.Stream) int64 { return 0 }
	}
	if cfg.Repeats == nil {
		cfg.Repeats = new(Repeats)
	}
	t := &Tailer{}
	t.assemble(&env{
		cfg: cfg, gate: cfg.Gate, now: cfg.Now(), first: true, devices: map[uint64]bool{},
	})
	t.began, t.status.At = t.now, t.now
	lost := cfg.Checkpoint.Losses.Count() // until they are acknowledged
	t.counters.LostBytes.Store(lost.Bytes)
	t.counters.LostFiles.Store(lost.Files)
	for range buffers {
		t.deliveries.free <- &Delivery{from: t.deliveries}
	}
	for _, s := range cfg.Sources {
		m, err := newMatcher(s)
		if err != nil {
			return nil, err
		}
		t.directories.matchers = append(t.directories.matchers, m)
	}
	return t, nil
}

// assemble creates the parts of a Tailer.
func (t *Tailer) assemble(e *env) {
	known := e.cfg.Checkpoint.Streams()
	t.env = e
	t.contents = &contents{env: e, seed: maphash.MakeSeed(), scratch: make([]byte, max(parse.HeadBytes, schema.MaxHeadBytes))}
	t.streams = &streams{env: e, positions: map[schema.StreamID]int64{}, atStart: known}
	t.deliveries = &deliveries{env: e, contents: t.contents, free: make(chan *Delivery, buffers), out: make(chan *Delivery, buffers)}
	t.set = newFileSet(e, t.streams)
	t.cooler = &cooler{env: e, set: t.set, unwatchable: map[string]bool{}}
	t.descriptors = newDescriptors(e, t.contents, t.set, t.cooler)
	t.names = &names{env: e, contents: t.contents, set: t.set}
	t.directories = &directories{
		env: e, descriptors: t.descriptors, names: t.names, byPath: map[string]*directory{}, byWatch: map[int32]*directory{},
	}
	t.events = &nameEvents{
		env: e, names: t.names, directories: t.directories, moving: map[uint32]*file{}, renamed: map[uint32]*matcher{},
	}
	t.sources = &sourceChanges{env: e, set: t.set, directories: t.directories}
	t.strays = &strayFinder{env: e, descriptors: t.descriptors, directories: t.directories}
	t.identifier = &identifier{
		env: e, contents: t.contents, streams: t.streams, set: t.set, cooler: t.cooler, descriptors: t.descriptors,
		skipOld: e.cfg.FromEnd && len(known) == 0,
	}
	t.rests = &restReader{env: e, deliveries: t.deliveries, set: t.set, descriptors: t.descriptors, streams: t.streams}
	t.searcher = &searcher{
		env: e, contents: t.contents, streams: t.streams, set: t.set, descriptors: t.descriptors, names: t.names,
		directories: t.directories, identifier: t.identifier, rests: t.rests, listings: map[string]*listing{}, heads: heads{},
	}
	t.sweeper = &sweeper{
		env: e, contents: t.contents, streams: t.streams, deliveries: t.deliveries, set: t.set, descriptors: t.descriptors,
		identifier: t.identifier, searcher: t.searcher,
	}
	t.opener = &opener{
		env: e, contents: t.contents, set: t.set, cooler: t.cooler, descriptors: t.descriptors, identifier: t.identifier,
		searcher: t.searcher, sweeper: t.sweeper,
	}
	t.housekeeper = &housekeeper{
		env: e, streams: t.streams, set: t.set, cooler: t.cooler, descriptors: t.descriptors, directories: t.directories,
		strays: t.strays, identifier: t.identifier, searcher: t.searcher, sweeper: t.sweeper, opener: t.opener,
	}
	t.margins = &margins{env: e, contents: t.contents, set: t.set, list: listGenerations}
	t.names.follower = t.opener
	t.descriptors.restsOpen = func() int { return min(len(t.rests.rests), 1) }
}

// Deliveries returns the channel of what is read, in order for each stream. It is closed when Run
// returns.
func (t *Tailer) Deliveries() <-chan *Delivery { return t.deliveries.out }

// Counters returns the Tailer's counters.
func (t *Tailer) Counters() *Counters { return &t.counters }

// Run follows the logs until ctx is done, and delivers what it read by then. A log that fails is
// tried again; an error is returned only for a failure of inotify or poll.
func (t *Tailer) Run(ctx context.Context) (err error) {
	defer close(t.deliveries.out)
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
		if t.gate != nil && len(t.set.hot) > 0 {
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
	t.set.noteSizes()
	for _, f := range t.set.files {
		t.set.closeFile(f)
	}
	t.watch.close() //nolint:errcheck // nothing is written to it
}

// step does everything that is due now. It returns how long to wait (negative: without limit), and
// whether a write to a cold file ends the wait.
func (t *Tailer) step(ctx context.Context) (pause time.Duration, cold bool, err error) {
	t.now = t.cfg.Now()
	clear(t.searcher.listings)
	t.sources.take()
	if t.gate != nil {
		t.gate.Allow(0)
	}
	if t.first {
		t.directories.listAll()
		t.opener.meetAll()
		t.first = false
		t.directories.warnOfUnmatched()
		t.nextHousekeeping = t.now.Add(housekeepingInterval)
	}
	if err := t.events.handle(); err != nil {
		return 0, false, err
	}
	interval := t.cfg.interval(len(t.set.hot))
	if early := interval - t.now.Sub(t.lastSweep); early > 0 && early <= interval {
		return early, false, nil // directory events were handled; the sweep is not due
	}
	if err := t.opener.coldEvents(); err != nil {
		return 0, false, err
	}
	t.lastSweep = t.now
	due := !t.now.Before(t.nextHousekeeping)
	if due {
		t.housekeeper.housekeep(ctx)
	}
	restsWait := t.rests.continueRests(ctx)
	again, waits := t.sweeper.sweep(ctx)
	if due && t.now.Sub(t.margins.pace.at) >= statusInterval { // after the sweep, because sizes are current then
		if waits {
			t.sweeper.checkTruncated()
		}
		t.margins.update()
		t.publish()
		t.descriptors.relieve()
	}
	switch {
	case waits || restsWait:
		return t.waitForRoom(interval), false, nil
	case again || len(t.rests.rests) > 0 && !t.now.Before(t.rests.nextRest) || len(t.set.waiting) > 0:
		t.lastSweep = time.Time{}
		return 0, false, nil
	case len(t.set.hot) > 0:
		return interval, false, nil
	}
	return max(t.nextHousekeeping.Sub(t.now), minInterval), true, nil
}

// waitForRoom returns how long to wait if something was left unread. A buffer that is released ends
// the wait early.
func (t *Tailer) waitForRoom(interval time.Duration) time.Duration {
	t.lastSweep = time.Time{}
	if t.gate == nil || t.deliveries.starved.Load() {
		return interval
	}
	return max(t.gate.Wait(), time.Millisecond)
}
