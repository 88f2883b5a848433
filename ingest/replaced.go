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

// replacedError reports a log of an earlier run whose path now is another file, and of which no
// copy was found. What was written to it after that run, if anything, is lost.
type replacedError struct {
	Path string
	From int64 // bytes that were read of it
}

// Error returns the message, with a hint.
func (e *replacedError) Error() string {
	return fmt.Sprintf("%s: it was replaced after an earlier run had read %d bytes of it, and no copy of it is beside it: what was written to it after that is lost\nhint: give the rotated copy, too, if there is one (%[1]s*); sluice ack --lost ends this error in status and audit", schema.PathText(e.Path), e.From)
}

// replaced returns a replacedError for each log of an earlier run that was replaced before it was
// read to its end. known are the streams before this run, streams those of logs. The losses are
// recorded in the checkpoint.
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
			continue // a rotated copy does not grow under its name
		}
		from := cfg.Collector.Received(s)
		if path, length := cfg.copyOf(s, l.Path); path != "" {
			if length > from {
				cfg.Log.Warn("log was rotated, and its copy is not among the logs to read", "path", l.Path, "copy", path, "unread_bytes", length-from)
			}
			continue
		}
		now := cfg.Now().Unix()
		loss := checkpoint.Loss{Path: s.Path, Stream: s.ID, From: from, Unknown: true, AtUnix: now}
		cfg.Checkpoint.Losses.AddWith(loss, func() { s.GoneUnix = now })
		failed = append(failed, &replacedError{Path: s.Path, From: from})
	}
	return failed
}

// copyOf returns the file that has the content of the stream, and the length of that content. It
// searches the log's directory and the directories where the log was last seen. "": there is none.
// If there are several, it returns the longest.
func (cfg *OnceConfig) copyOf(s *checkpoint.Stream, path string) (found string, length int64) {
	for _, dir := range slices.Compact(append([]string{filepath.Dir(path)}, s.Dirs()...)) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // the directory no longer exists
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
	if cfg.Checkpoint.Logs.HasFile(s, l.ID, l.BornNs) {
		return true
	}
	if !cfg.Checkpoint.Fingerprints.HasTail(s) || !cfg.Checkpoint.Logs.MayHold(s, path, l.BornNs) {
		return false
	}
	same, err := cfg.Checkpoint.Fingerprints.Holds(s, l.Open)
	return same && err == nil
}

// contentBytes returns the number of bytes of a log's content, uncompressed, up to the first error.
func contentBytes(path string) int64 {
	r, err := logfile.Open(path)
	if err != nil {
		return 0
	}
	defer r.Close()                //nolint:errcheck // it was only read
	n, _ := io.Copy(io.Discard, r) //nolint:errcheck // what can be read counts
	return n
}
