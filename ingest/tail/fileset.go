package tail

import (
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
)

// fileSet has all files by their state.
type fileSet struct {
	*env
	streams *streams

	files map[logfile.ID]*file
	// The files by their state; changed by fileSet.to only:
	hot     []*file // open and held
	held    []*file // held and shelved
	waiting []*file // in the order in which they will be opened again
	failing []*file
	coldBy  map[int32]*file // cold, by watch descriptor
	polled  map[*file]bool  // polled, shelved, and cold if the watch may not report every write

	orphans int // number of open logs without a name
	// moved, if not nil, is called before each transition. For tests.
	moved func(f *file, next state)
}

func newFileSet(e *env, s *streams) *fileSet {
	return &fileSet{
		env: e, streams: s, files: map[logfile.ID]*file{}, coldBy: map[int32]*file{}, polled: map[*file]bool{},
	}
}

// fileOf returns the file from which a stream is being read, or nil.
func (set *fileSet) fileOf(s *checkpoint.Stream) *file {
	for _, id := range s.Files {
		if f := set.files[id]; f != nil && f.stream == s {
			return f
		}
	}
	return nil
}

// end ends a file that was removed and of which everything that could be read was read.
func (set *fileSet) end(f *file) {
	if s := f.stream; s != nil {
		set.cfg.Checkpoint.Update(func() {
			s.GoneUnix = set.now.Unix()
			s.SeenBytes = max(s.SeenBytes, f.read)
		})
	}
	set.drop(f)
}

// drop removes a file from the set.
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

// release ends the holding back of a file.
func (set *fileSet) release(f *file) {
	f.heldSince, f.copyOf = time.Time{}, nil
	if f.state == stateHeld {
		set.to(f, stateOpen)
	}
}

// noteSizes records in the checkpoint how long the logs are. When a log is gone, what is beyond its
// stored position counts as lost.
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

// failed records that a file cannot be read; it is tried again. It is logged from the second
// failure on: when logrotate has just created a log, only root may read it until owner and
// permissions are set.
func (set *fileSet) failed(f *file, err error) {
	set.counters.Failures.Add(1)
	f.fail(err, set.now)
	set.to(f, stateFailing)
	if f.attempts == attemptsToTell {
		set.cfg.Log.Warn("log read failed, retrying", "path", f.path(), "err", err)
	}
}

// replace makes fd the descriptor of a file, and closes the previous one.
func (set *fileSet) replace(f *file, fd int) {
	set.closeFile(f)
	f.fd, f.failure = fd, failure{}
	if f.state.isOpen() {
		set.hot = append(set.hot, f)
	}
	set.to(f, stateOpen)
}

// countOrphans counts the open logs without a name.
func (set *fileSet) countOrphans() {
	set.orphans = 0
	for _, f := range set.hot {
		if len(f.places) == 0 {
			set.orphans++
		}
	}
}
