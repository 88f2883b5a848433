package tail

import (
	"os"
	"path/filepath"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// listing is a directory's regular files, as it was listed in the present step.
type listing struct {
	entries []os.DirEntry
	// byName are the paths by the name of the log that a rotation may have made them of.
	byName   map[string][]string
	byHead   map[string][]string // by checkpoint.HeadOf their beginning; nil until it is asked for
	modified time.Time           // the directory, before it was listed
	settled  bool                // that was long enough ago
	fresh    bool                // it is the directory as it is now
	err      error               // why it, or a file in it, could not be read
}

// settles is how old a directory's time of modification is when a change since must
// have another: file systems take the kernel's coarse clock.
const settles = 100 * time.Millisecond

// listing lists a directory, once a step: hundreds of logs are truncated at a time.
// Anew it is listed again, where something can have changed since: a fleet is
// rotated log by log, and a copy may have come after that of the log before.
func (sr *searcher) listing(dir string, anew bool) *listing {
	if l := sr.listings[dir]; l != nil {
		info, err := os.Stat(dir)
		l.fresh = err == nil && l.settled && info.ModTime().Equal(l.modified)
		if l.fresh || !anew {
			return l
		}
	}
	l := &listing{byName: map[string][]string{}, fresh: true}
	if info, err := os.Stat(dir); err == nil {
		l.modified = info.ModTime()
		l.settled = time.Since(l.modified) >= settles
	}
	entries, err := sr.set.readDir(dir)
	if err != nil {
		l.err = err
		return l
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		l.entries = append(l.entries, e)
		path := filepath.Join(dir, e.Name())
		rotated := checkpoint.RotatedName(path)
		l.byName[rotated] = append(l.byName[rotated], path)
	}
	sr.listings[dir] = l
	return l
}

// beginning returns the listed files by their first lines.
func (sr *searcher) beginning(l *listing, dir string) map[string][]string {
	if l.byHead != nil {
		return l.byHead
	}
	l.byHead = map[string][]string{}
	for _, e := range l.entries {
		if info, err := e.Info(); err == nil && info.Size() > 0 {
			path := filepath.Join(dir, e.Name())
			head, err := sr.heads.of(path, info)
			if err != nil {
				l.err = err
				delete(sr.listings, dir)
			}
			if head != "" {
				l.byHead[head] = append(l.byHead[head], path)
			}
		}
	}
	return l.byHead
}

// heads remembers how files begin: compressed copies do not change, and there may be
// thousands.
type heads map[headKey]string

type headKey struct {
	id       logfile.ID
	size     int64
	modified time.Time
}

// maxHeads bounds what is remembered.
const maxHeads = 50_000

// of returns the hash of a file's first line; empty where it cannot be read. The error
// is that there is no descriptor left, which is not remembered.
func (h heads) of(path string, info os.FileInfo) (head string, err error) {
	id, err := logfile.IDOf(info)
	if err != nil {
		return "", nil
	}
	key := headKey{id, info.Size(), info.ModTime()}
	head, ok := h[key]
	if ok {
		return head, nil
	}
	r, err := logfile.Open(path)
	if noDescriptor(err) {
		return "", err
	}
	if err == nil {
		start, _, err := logfile.Head(r, make([]byte, schema.MaxHeadBytes))
		r.Close() //nolint:errcheck // it was only read
		if err == nil && len(start) > 0 {
			head = checkpoint.HeadOf(start)
		}
	}
	if len(h) >= maxHeads {
		clear(h)
	}
	h[key] = head
	return head, nil
}
