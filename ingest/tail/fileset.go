package tail

import (
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
)

// fileSet has the files with their state. It opens and closes them, and keeps no more
// open than the process has descriptors for.
type fileSet struct {
	*env
	contents *contents
	streams  *streams

	files map[logfile.ID]*file
	// The files by their state (to):
	hot     []*file // open and held
	held    []*file // held and shelved
	waiting []*file // in the order in which they are opened again
	failing []*file
	coldBy  map[int32]*file // cold, by the watch
	polled  map[*file]bool  // polled, shelved, and cold where the watch may not report every write

	inUse   *file // is being looked at: it stays open, whatever else is opened
	orphans int   // logs without a name that are open
	// moved, if not nil, sees each transition before it is made. For tests.
	moved func(f *file, next state)

	maxOpen, budget int        // logs that may be open: as configured, and at present
	noDescriptors   bool       // logged already
	restsOpen       func() int // how many descriptors compressed copies have
	lastPoll        time.Time
	unwatchable     map[string]bool // reasons why idle logs are not watched, logged already
}

func newFileSet(e *env, c *contents, s *streams) *fileSet {
	set := &fileSet{
		env: e, contents: c, streams: s, maxOpen: e.cfg.MaxOpen,
		files: map[logfile.ID]*file{}, coldBy: map[int32]*file{}, polled: map[*file]bool{}, unwatchable: map[string]bool{},
	}
	if set.maxOpen == 0 {
		set.maxOpen = processBudget()
	}
	set.budget = set.maxOpen
	return set
}

// fileOf returns the file that a stream is being read from.
func (set *fileSet) fileOf(s *checkpoint.Stream) *file {
	for _, id := range s.Files {
		if f := set.files[id]; f != nil && f.stream == s {
			return f
		}
	}
	return nil
}

// end ends a file: it was removed, and everything that could be read was.
func (set *fileSet) end(f *file) {
	if s := f.stream; s != nil {
		set.cfg.Checkpoint.Update(func() {
			s.GoneUnix = set.now.Unix()
			s.SeenBytes = max(s.SeenBytes, f.read)
		})
	}
	set.drop(f)
}

// drop forgets a file.
func (set *fileSet) drop(f *file) {
	set.to(f, stateGone)
	if f.stream != nil {
		set.streams.positions[f.stream.ID] = max(set.streams.positions[f.stream.ID], f.read)
	}
	for _, p := range f.places {
		delete(p.dir.files, p.name)
	}
	f.places = nil
	if set.files[f.id] == f {
		delete(set.files, f.id)
	}
}

// release ends a file's being held back.
func (set *fileSet) release(f *file) {
	f.heldSince, f.copyOf = time.Time{}, nil
	if f.state == stateHeld {
		set.to(f, stateOpen)
	}
}

// noteSizes writes down in the checkpoint how long the logs are: what is beyond
// stored when they are gone is lost.
func (set *fileSet) noteSizes() {
	set.cfg.Checkpoint.Update(func() {
		for _, f := range set.hot {
			if f.stream != nil {
				f.stream.SeenBytes = max(f.stream.SeenBytes, f.size)
				f.stream.GrownUnix = max(f.stream.GrownUnix, f.active.Unix())
			}
		}
	})
}
