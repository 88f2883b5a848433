package tail

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/parse"
	"sluice/schema"
)

// identify finds the stream that a hot file is, or makes one. It reports false
// while the first line is not whole (unless the file is finished), when the file
// is held back as a copy, or when it failed.
func (t *Tailer) identify(f *file, finished bool) bool {
	if f.stillRefused() {
		return false
	}
	start, err := t.headOf(f)
	if err != nil {
		t.failed(f, err)
		return false
	}
	if seen := f.hole + int64(len(start)); seen != f.size {
		f.size, f.active = max(f.size, seen), t.now
	}
	known := t.cfg.Checkpoint.Find(t.cfg.Host, f.seen(start))
	if known == nil && len(start) > 0 && t.refuse(f, start) {
		return false
	}
	whole := bytes.IndexByte(start, '\n') >= 0 || len(start) >= schema.MaxHeadBytes
	if len(start) == 0 || !whole && !finished {
		f.part = true
		return false
	}
	if s := known; s != nil {
		if t.continues(f, s) && t.resume(f, t.position(s)) {
			t.cfg.Checkpoint.Update(func() { s.GoneUnix = 0 })
			t.mendPath(f, s)
			f.live = s.Path == f.path()
			f.stream = s
			t.setFormat(f, start)
			return true
		}
		// The same inode and first line, but shorter, or other bytes before the
		// position: it was truncated while nobody looked.
		t.cfg.Log.Info("log truncated between reads", "path", f.path(), "stream", s.ID, "offset", t.position(s))
		t.missing = append(t.missing, s)
	} else if err := t.cfg.Checkpoint.Elsewhere(t.cfg.Host, f.id, start); err != nil {
		t.failed(f, err)
		return false
	} else if t.holdBack(f, start) {
		return false
	}
	if f.stream != nil { // it continues a log that is gone
		t.setFormat(f, start)
		return true
	}
	return t.begin(f, start)
}

// mendPath puts right a path that is not UTF-8, and that an older version's checkpoint
// has with U+FFFD for what is not.
func (t *Tailer) mendPath(f *file, s *checkpoint.Stream) {
	if path := f.path(); s.Path != path && s.Path == string([]rune(path)) {
		t.cfg.Checkpoint.Update(func() { s.Path = path })
	}
}

// seen is a file that begins with start, to be identified.
func (f *file) seen(start []byte) checkpoint.Log {
	return checkpoint.Log{Path: f.path(), ID: f.id, BornNs: f.bornNs, Start: start}
}

// resume sets a file's position and checks that it can be the stream's.
func (t *Tailer) resume(f *file, position int64) bool {
	f.read, f.mark = position, 0
	return t.takeMark(f) == nil
}

// position is from where a stream is read on: from where this life got to, where
// it read it.
func (t *Tailer) position(s *checkpoint.Stream) int64 {
	if read, ok := t.positions[s.ID]; ok {
		return read
	}
	return t.cfg.Position(s)
}

// continues reports whether a file that begins as the stream does also has the
// stream's last bytes where the stream has them.
func (t *Tailer) continues(f *file, s *checkpoint.Stream) bool {
	if !t.cfg.Checkpoint.HasTail(s) {
		return true
	}
	holds := t.cfg.Checkpoint.Holds
	if f.bornNs != 0 && t.bornAt == nil && s.BornNs() != 0 {
		holds = t.cfg.Checkpoint.HoldsEnd
	}
	same, err := holds(s, contentOf(f))
	return same && err == nil
}

// begin makes a new stream of a file.
func (t *Tailer) begin(f *file, start []byte) bool {
	origin := schema.StreamEntry{Stream: schema.Stream{Host: t.cfg.Host, Path: f.path()}, Labels: f.source.Labels}
	f.stream = t.cfg.Checkpoint.Add(origin, f.seen(start))
	f.live, f.copied, f.read, f.mark = true, false, 0, t.markOf(nil)
	t.setFormat(f, start)
	if t.skipOld && t.first {
		t.skipToEnd(f)
	}
	t.counters.Streams.Add(1)
	return true
}

// setFormat writes down how the stream's lines are read, and the labels that it has now.
func (t *Tailer) setFormat(f *file, start []byte) {
	format := f.source.Format
	if format == parse.AutoName {
		if format = f.stream.Format; format == "" {
			format = t.guess(f, start)
		}
	}
	t.cfg.Checkpoint.Update(func() {
		f.stream.Format, f.stream.Zone, f.stream.Labels = format, f.source.Zone, f.source.Labels
	})
}

// guess chooses a format from a log's first lines; where they tell none, the one
// that the log of that name had before.
func (t *Tailer) guess(f *file, start []byte) string {
	guessed, err := parse.Auto(start, nil)
	if err == nil {
		return guessed.String()
	}
	for _, s := range t.cfg.Checkpoint.Named(t.cfg.Host, f.path()) {
		if s != f.stream && s.Format != "" {
			return s.Format
		}
	}
	t.cfg.Log.Warn("log format not recognized, lines are stored raw only", "path", f.path(), "format", guessed.String(), "err", err)
	return guessed.String()
}

// skipToEnd begins a log that was there before us at its end: behind its last
// whole line.
func (t *Tailer) skipToEnd(f *file) {
	end, err := lastLine(f)
	if err == nil && end > 0 {
		f.read = end
		err = t.takeMark(f)
	}
	if err != nil {
		t.cfg.Log.Warn("log does not continue at the stored position, reading it from its start", "path", f.path(), "err", err)
		f.read, f.mark = 0, t.markOf(nil)
		return
	}
	t.cfg.Checkpoint.Update(func() { f.stream.Stored, f.stream.SkippedBytes = f.read, f.read })
}

// lastLine returns the position behind the file's last newline.
func lastLine(f *file) (int64, error) {
	b := make([]byte, minRead)
	size, err := fileSize(f.fd)
	if err != nil {
		return 0, err
	}
	for end := size; end > 0; {
		start := max(0, end-int64(len(b)))
		n, err := pread(f.fd, b[:end-start], start)
		if err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// sourceOf is an open file's content from its beginning.
type sourceOf struct {
	io.ReadSeeker
}

func (sourceOf) Close() error { return nil }

// contentOf returns what a function that compares content opens.
func contentOf(f *file) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		size, err := fileSize(f.fd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.path(), err)
		}
		return sourceOf{io.NewSectionReader(readerAt(f.fd), 0, size)}, nil
	}
}

// ago is for messages.
func (t *Tailer) ago(since time.Time) time.Duration { return t.now.Sub(since).Round(time.Second) }
