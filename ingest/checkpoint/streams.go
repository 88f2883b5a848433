package checkpoint

import (
	"slices"

	"sluice/ingest/logfile"
	"sluice/schema"
)

// streamSet has all streams of a checkpoint, and the maps in which its parts find them. File.mu
// guards it, and the fields of its streams.
type streamSet struct {
	all    []*Stream // in the order in which they were added
	byID   map[schema.StreamID]*Stream
	logs   logIndex
	quotas quotas
}

func newStreamSet() *streamSet {
	s := new(streamSet)
	s.index()
	return s
}

// set replaces all streams.
func (s *streamSet) set(all []*Stream) {
	s.all = all
	s.index()
}

func (s *streamSet) add(t *Stream) {
	s.all = append(s.all, t)
	s.enter(t)
}

// remove removes the streams that done returns true for.
func (s *streamSet) remove(done func(*Stream) bool) {
	before := len(s.all)
	s.all = slices.DeleteFunc(s.all, done)
	if len(s.all) < before {
		s.index()
	}
}

// index rebuilds the maps.
func (s *streamSet) index() {
	s.byID = map[schema.StreamID]*Stream{}
	s.logs = newLogIndex()
	s.quotas.reset()
	for _, t := range s.all {
		s.enter(t)
	}
}

func (s *streamSet) enter(t *Stream) {
	s.byID[t.ID] = t
	s.logs.add(t)
	s.quotas.charge(t)
}

// logIndex has the streams by what is seen of a log file.
type logIndex struct {
	byFile map[logfile.ID][]*Stream
	byName map[string][]*Stream // by RotatedName
	byHead map[string][]*Stream // by Fingerprint.Head
}

func newLogIndex() logIndex {
	return logIndex{byFile: map[logfile.ID][]*Stream{}, byName: map[string][]*Stream{}, byHead: map[string][]*Stream{}}
}

func (x *logIndex) add(t *Stream) {
	for _, id := range t.Files {
		x.addFile(t, id)
	}
	name := RotatedName(t.Path)
	x.byName[name] = append(x.byName[name], t)
	if t.HeadBytes > 0 {
		x.addHead(t)
	}
}

func (x *logIndex) addFile(t *Stream, id logfile.ID) { x.byFile[id] = append(x.byFile[id], t) }

func (x *logIndex) addHead(t *Stream) { x.byHead[t.Head] = append(x.byHead[t.Head], t) }
