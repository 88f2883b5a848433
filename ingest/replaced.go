package ingest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// ReplacedError reports a log of an earlier run whose name is another file's now, and of
// which no copy was found: what was written to it after that run is lost, if anything.
type ReplacedError struct {
	Path string
	From int64 // what was read of it
}

// Error says it for people.
func (e *ReplacedError) Error() string {
	return fmt.Sprintf("%s: it was replaced after an earlier run had read %d bytes of it, and no copy of it is beside it: what was written to it after that is lost\nhint: give the rotated copy, too, if there is one (%[1]s*); sluice ack --lost ends this error in status and audit", schema.PathText(e.Path), e.From)
}

// replaced returns the logs of earlier runs that were replaced unread. known are the
// streams before this run, streams those of logs. What is lost is kept in the checkpoint.
func (cfg *OnceConfig) replaced(known []*checkpoint.Stream, logs []logfile.Log, streams []*checkpoint.Stream) (failed []error) {
	latest := map[string]*checkpoint.Stream{}
	for _, s := range known {
		if s.Host == cfg.Host {
			latest[s.Path] = s
		}
	}
	for i, l := range logs {
		s := latest[l.Path]
		if s == nil || streams[i] == nil || s.GoneUnix != 0 || slices.Contains(streams, s) || checkpoint.RotatedName(l.Path) != filepath.Clean(l.Path) {
			continue // a rotated copy was finished when it got its name
		}
		from := cfg.Collector.Received(s)
		if path, length := cfg.copyOf(s, l.Path); path != "" {
			if length > from {
				cfg.Log.Warn("log was rotated, and its copy is not among the logs to read", "path", l.Path, "copy", path, "unread_bytes", length-from)
			}
			continue
		}
		now := cfg.Now().Unix()
		cfg.Checkpoint.Update(func() { s.GoneUnix = now })
		cfg.Checkpoint.AddLoss(checkpoint.Loss{Path: s.Path, Stream: s.ID, From: from, Unknown: true, AtUnix: now})
		failed = append(failed, &ReplacedError{Path: s.Path, From: from})
	}
	return failed
}

// copyOf finds a file beside a log, or where it was seen last, that holds the stream, and
// the length of its content; "" if there is none.
func (cfg *OnceConfig) copyOf(s *checkpoint.Stream, path string) (found string, length int64) {
	for _, dir := range slices.Compact(append([]string{filepath.Dir(path)}, s.Dirs()...)) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // it is gone, with what was in it
		}
		for _, e := range entries {
			other := filepath.Join(dir, e.Name())
			if !e.Type().IsRegular() || other == path || !cfg.isCopy(s, other) {
				continue
			}
			if n := contentBytes(other); found == "" || n > length {
				found, length = other, n
			}
		}
	}
	return found, length
}

func (cfg *OnceConfig) isCopy(s *checkpoint.Stream, path string) bool {
	l, err := logfile.Look(path)
	if err != nil {
		return false
	}
	r, err := l.Open()
	if err != nil {
		return false
	}
	start, _, err := logfile.Head(r, make([]byte, schema.MaxHeadBytes))
	if err = errors.Join(err, r.Close()); err != nil || len(start) == 0 || !s.Begins(start) {
		return false
	}
	if cfg.Checkpoint.HasFile(s, l.ID, l.BornNs) {
		return true
	}
	if !cfg.Checkpoint.HasTail(s) || !cfg.Checkpoint.MayHold(s, path, l.BornNs) {
		return false
	}
	same, err := cfg.Checkpoint.Holds(s, l.Open)
	return same && err == nil
}

// contentBytes is how many bytes a file holds, as far as it can be read.
func contentBytes(path string) int64 {
	r, err := logfile.Open(path)
	if err != nil {
		return 0
	}
	defer r.Close()                //nolint:errcheck // it was only read
	n, _ := io.Copy(io.Discard, r) //nolint:errcheck // what can be read counts
	return n
}
