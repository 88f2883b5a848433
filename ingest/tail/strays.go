package tail

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/parse"
	"sluice/schema"
)

// stray is a file in a followed directory that no source matches.
type stray struct {
	id    logfile.ID
	size  int64
	grown time.Time // time of the last growth that was seen
	isLog bool      // its lines are those of an access log
	// next is when it is examined again if it was not found to be an access log, and pause the time
	// since the last examination: one line of another kind proves nothing.
	next  time.Time
	pause time.Duration
}

const (
	// strayInterval is the time between two checks of a directory's other files. With more than
	// 10,000 files it is longer, by strayPause for each, up to maxStrayInterval.
	strayInterval    = 10 * time.Second
	maxStrayInterval = 30 * time.Second
	strayPause       = time.Millisecond
	// strayFor is how long a stray is reported after its last growth.
	strayFor = 15 * time.Minute
	// maxStrayPause is the longest time between two examinations of a file that grows.
	maxStrayPause = strayFor
	// maxStrays limits what is remembered of a directory, and maxStrayNames the names that are
	// checked in one step.
	maxStrays     = 1000
	maxStrayNames = 2000
	// strayBytes is how many bytes of a stray's end are examined.
	strayBytes = 64 << 10
)

// strayFinder finds access logs beside the followed ones that no source matches.
type strayFinder struct {
	*env
	descriptors *descriptors
	directories *directories
	pending     []*directory // must still be checked
	next        time.Time
}

// look checks some of the followed directories for other files that grow and are access
// logs, such as a new virtual host's log.
func (sf *strayFinder) look() {
	if len(sf.pending) == 0 {
		if sf.now.Before(sf.next) {
			return
		}
		names := 0
		for _, d := range sf.directories.byPath {
			if d.err == nil && len(d.matchers) > 0 && len(d.files) > 0 {
				sf.pending = append(sf.pending, d)
				names += len(d.files) + len(d.strays)
			} else {
				d.strays = nil
			}
		}
		sf.next = sf.now.Add(min(max(strayInterval, time.Duration(names)*strayPause), maxStrayInterval))
	}
	for names := 0; names < maxStrayNames && len(sf.pending) > 0; {
		d := sf.pending[0]
		sf.pending = sf.pending[1:]
		entries, err := sf.descriptors.readDir(d.path)
		if err == nil { // the listing reports the error
			sf.lookAt(d, entries)
		}
		names += 1 + len(entries)
	}
}

// lookAt compares the other files of a directory with what was seen at the last check.
func (sf *strayFinder) lookAt(d *directory, entries []fs.DirEntry) {
	there := make(map[string]bool)
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || !d.foreign(name) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it was removed
		}
		id, err := logfile.IDOf(info)
		if err != nil {
			continue
		}
		there[name] = true
		s, size := d.strays[name], info.Size()
		switch {
		case s == nil || s.id != id || size < s.size:
			if s == nil && len(d.strays) >= maxStrays {
				continue
			}
			if d.strays == nil {
				d.strays = map[string]*stray{}
			}
			d.strays[name] = &stray{id: id, size: size}
			continue
		case size == s.size:
			continue
		}
		s.size, s.grown = size, sf.now
		if !s.isLog && !sf.now.Before(s.next) {
			sf.examine(d, name, s)
		}
	}
	maps.DeleteFunc(d.strays, func(name string, _ *stray) bool { return !there[name] })
}

// examine decides whether a stray is an access log. If it is not known to be one, it is examined
// again when it has grown, at growing intervals: it may not have been readable, or its lines were
// not typical.
func (sf *strayFinder) examine(d *directory, name string, s *stray) {
	if s.isLog = sf.isAccessLog(d, name, s.size); s.isLog {
		sf.cfg.Log.Warn("access log not named by any source, not read", "path", filepath.Join(d.path, name), "hint", "name it, or leave it out with --exclude")
		return
	}
	s.pause = min(max(2*s.pause, strayInterval), maxStrayPause)
	s.next = sf.now.Add(s.pause)
}

// foreign reports whether the file with that name is unrelated to the followed logs: not one of
// them, not a rotation's copy of one, and not excluded.
func (d *directory) foreign(name string) bool {
	path := filepath.Join(d.path, name)
	if d.files[name] != nil || logfile.CompressedName(name) || d.match(name) != nil || d.match(filepath.Base(checkpoint.RotatedName(path))) != nil {
		return false
	}
	for _, m := range d.matchers {
		if logfile.Excluded(m.Exclude, path) {
			return false
		}
	}
	return true
}

// isAccessLog reports whether one of some lines at the file's end matches the format of a log beside
// it, or a well-known one. Lines of error logs do not.
func (sf *strayFinder) isAccessLog(d *directory, name string, size int64) bool {
	for followed := range d.files {
		if checkpoint.KinshipOf(name, followed) == checkpoint.RotatedHere {
			return false
		}
	}
	f, err := os.OpenFile(filepath.Join(d.path, name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false // it may be readable at the next examination
	}
	defer f.Close()
	b := make([]byte, strayBytes)
	start := max(0, size-strayBytes)
	n, err := f.ReadAt(b, start)
	if n == 0 && err != nil {
		return false
	}
	if b = b[:n]; start > 0 { // it may begin within a line
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	lines := bytes.SplitN(b, []byte("\n"), maxStrayLines+1)
	lines = lines[:len(lines)-1] // the last one may not be whole
	if len(lines) == 0 {
		return false
	}
	formats := map[string]bool{}
	for _, x := range d.files {
		if x.stream != nil && len(formats) < maxStrayFormats {
			formats[x.stream.Format] = true
		}
	}
	if guessed, err := parse.Auto(b, nil); err == nil {
		formats[guessed.String()] = true
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(formats)), func(text string) bool { return reads(text, lines) })
}

const (
	// maxStrayFormats is how many formats of logs beside a stray are tried, and maxStrayLines on how
	// many of its lines.
	maxStrayFormats = 16
	maxStrayLines   = 16
)

// reads reports whether one of the lines matches a format and has a time.
func reads(text string, lines [][]byte) bool {
	if strings.HasPrefix(text, parse.PatternPrefix) {
		return false // a pattern may match any line
	}
	format, err := parse.Lookup(text, nil)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(lines, func(line []byte) bool {
		var rec schema.Record
		format.Parse(line, &rec)
		return rec.Dated && !rec.Err.Set()
	})
}
