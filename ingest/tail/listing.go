package tail

import (
	"os"
	"path/filepath"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/schema"
)

// listing has a directory's regular files, as listed in the current step.
type listing struct {
	entries []os.DirEntry
	// byName are the paths by the name of the log that a rotation may have made them from.
	byName   map[string][]string
	byHead   map[string][]string // by checkpoint.HeadOf of their beginning; nil until requested
	modified time.Time           // the directory's time before it was listed
	settled  bool                // that time was long enough ago
	fresh    bool                // the directory has not changed since
	err      error               // the error of reading it or a file in it
}

// settles is how old a directory's modification time must be, so that a later change is certain to
// have another time: file systems use the kernel's coarse clock.
const settles = 100 * time.Millisecond

// listing lists a directory once in a step, because hundreds of logs may be truncated at a time.
// With anew it is listed again if it may have changed since: many logs are rotated one after the
// other, and a copy may have been created after the listing for the previous log.
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
	entries, err := sr.descriptors.readDir(dir)
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

// heads caches how files begin: compressed copies do not change, and there may be thousands.
type heads map[headKey]string

type headKey struct {
	id       logfile.ID
	size     int64
	modified time.Time
}

// maxHeads limits the cache.
const maxHeads = 50_000

// of returns the hash of a file's first line, "" if it cannot be read. It returns an error only if
// no descriptor is free, and that result is not cached.
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
