package tail

import (
	"bytes"

	"sluice/ingest/checkpoint"
	"sluice/parse"
	"sluice/schema"
)

// identifier finds out which stream a file is, or which log it is a copy of.
type identifier struct {
	*env
	contents    *contents
	streams     *streams
	set         *fileSet
	cooler      *cooler
	descriptors *descriptors
	skipOld     bool // the checkpoint has no streams, and existing lines are not wanted
}

// identify finds or creates the stream of an open file. It returns false while the first line is
// incomplete (unless finished is true), if the file is held back as a copy, or on an error.
func (id *identifier) identify(f *file, finished bool) bool {
	if f.stillRefused() {
		return false
	}
	start, err := id.contents.startOf(f)
	if err != nil {
		id.set.failed(f, err)
		return false
	}
	known := id.cfg.Checkpoint.Logs.Find(id.cfg.Host, f.seen(start))
	if known == nil { // its content decides whether it is a log, and which format it has
		if start, err = id.contents.headOf(f); err != nil {
			id.set.failed(f, err)
			return false
		}
	}
	// A log that is longer than its head has not changed for that reason: it may be an idle one.
	if seen := f.hole + int64(len(start)); seen > f.size || seen < f.size && len(start) < schema.MaxHeadBytes {
		f.size, f.active = max(f.size, seen), id.now
	}
	if known == nil && len(start) > 0 && id.refuse(f, start) {
		return false
	}
	whole := bytes.IndexByte(start, '\n') >= 0 || len(start) >= schema.MaxHeadBytes
	if len(start) == 0 || !whole && !finished {
		f.part = true
		return false
	}
	if s := known; s != nil {
		if id.continues(f, s) && id.resume(f, id.streams.position(s)) {
			id.cfg.Checkpoint.Update(func() { s.GoneUnix = 0 })
			id.correctPath(f, s)
			f.live = s.Path == f.path()
			f.stream = s
			id.setFormat(f, start)
			return true
		}
		// Same inode and first line, but shorter, or other bytes before the position: it was
		// truncated between two reads.
		position := id.streams.position(s)
		id.cfg.Log.Warn("log truncated between reads, reading it again as another stream", "path", f.path(), "stream", s.ID, "offset", position)
		if position > 0 {
			id.cfg.Repeats.Add(f.path(), id.now)
		}
		id.streams.missing = append(id.streams.missing, s)
	} else if err := id.cfg.Checkpoint.Logs.Elsewhere(id.cfg.Host, f.id, start); err != nil {
		id.set.failed(f, err)
		return false
	} else if id.holdBack(f, start) {
		return false
	}
	if f.stream != nil { // it continues a log whose file is gone
		id.setFormat(f, start)
		return true
	}
	return id.begin(f, start)
}

// correctPath corrects a path that is not UTF-8 and that an older version's checkpoint has with U+FFFD
// for the invalid bytes.
func (id *identifier) correctPath(f *file, s *checkpoint.Stream) {
	if path := f.path(); s.Path != path && s.Path == string([]rune(path)) {
		id.cfg.Checkpoint.Update(func() { s.Path = path })
	}
}

// seen describes a file that begins with start, for its identification.
func (f *file) seen(start []byte) checkpoint.Log {
	return checkpoint.Log{Path: f.path(), ID: f.id, BornNs: f.bornNs, Start: start}
}

// resume sets a file's position and checks that it can be the stream's.
func (id *identifier) resume(f *file, position int64) bool {
	f.read, f.mark = position, 0
	return id.contents.takeMark(f) == nil
}

// continues reports whether a file that begins as the stream does also has the stream's last bytes
// at their position.
func (id *identifier) continues(f *file, s *checkpoint.Stream) bool {
	if !id.cfg.Checkpoint.Fingerprints.HasTail(s) {
		return true
	}
	holds := id.cfg.Checkpoint.Fingerprints.Holds
	if f.bornNs != 0 && id.bornAt == nil && s.BornNs() != 0 {
		holds = id.cfg.Checkpoint.Fingerprints.HoldsEnd
	}
	same, err := holds(s, contentOf(f))
	return same && err == nil
}

// begin creates a new stream for a file.
func (id *identifier) begin(f *file, start []byte) bool {
	origin := schema.StreamEntry{Stream: schema.Stream{Host: id.cfg.Host, Path: f.path()}, Labels: f.source.Labels}
	f.stream = id.cfg.Checkpoint.Logs.Add(origin, f.seen(start))
	f.live, f.copied, f.read, f.mark = true, false, 0, id.contents.markOf(nil)
	id.setFormat(f, start)
	if id.skipOld && id.first {
		id.skipToEnd(f)
	}
	id.counters.Streams.Add(1)
	return true
}

// setFormat records how the stream's lines are parsed, and its present labels.
func (id *identifier) setFormat(f *file, start []byte) {
	format := f.source.Format
	if format == parse.AutoName {
		if format = f.stream.Format; format == "" {
			format = id.guess(f, start)
		}
	}
	id.cfg.Checkpoint.Update(func() {
		f.stream.Format, f.stream.Zone, f.stream.Labels = format, f.source.Zone, f.source.Labels
	})
}

// guess detects the format from a log's first lines. If they match none, the previous log of that
// name decides.
func (id *identifier) guess(f *file, start []byte) string {
	if len(start) == schema.MaxHeadBytes { // it is a known stream, of which no more was read
		if head, err := id.contents.headOf(f); err == nil {
			start = head
		}
	}
	guessed, err := parse.Auto(start, nil)
	if err == nil {
		return guessed.String()
	}
	for _, s := range id.cfg.Checkpoint.Logs.Named(id.cfg.Host, f.path()) {
		if s != f.stream && s.Format != "" {
			return s.Format
		}
	}
	id.cfg.Log.Warn("log format not recognized, lines are stored raw only", "path", f.path(), "format", guessed.String(), "err", err)
	return guessed.String()
}

// skipToEnd sets the position of a log that existed before sluice was first started to the end of
// its last complete line.
func (id *identifier) skipToEnd(f *file) {
	end, err := lastLine(f)
	if err == nil && end > 0 {
		f.read = end
		err = id.contents.takeMark(f)
	}
	if err != nil {
		id.cfg.Log.Warn("log does not continue at the stored position, reading it from its start", "path", f.path(), "err", err)
		f.read, f.mark = 0, id.contents.markOf(nil)
		return
	}
	id.cfg.Checkpoint.Update(func() { f.stream.Stored, f.stream.SkippedBytes = f.read, f.read })
}

// meet identifies an open file that has no stream yet. It returns false while its first line is
// incomplete, or if it must not be read.
func (id *identifier) meet(f *file) bool {
	before := id.descriptors.inUse
	id.descriptors.inUse = f
	defer func() { id.descriptors.inUse = before }()
	if !id.identify(f, false) {
		return false
	}
	id.set.release(f)
	id.contents.met(f)
	return true
}
