package tail

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// Status is the state of a Tailer, some seconds old. Paths are as by schema.PathText.
type Status struct {
	At time.Time `json:"at"`
	// Files is the number of followed files; Hot is how many of them grew recently and are open.
	Files int `json:"files"`
	Hot   int `json:"hot"`
	// UnreadBytes are known to be unread.
	UnreadBytes int64 `json:"unread_bytes"`
	// WrittenBytes is the total length of the existing logs. ReadBytes of them are read, and
	// StoredBytes are in table and archive.
	WrittenBytes int64 `json:"written_bytes"`
	ReadBytes    int64 `json:"read_bytes"`
	StoredBytes  int64 `json:"stored_bytes"`
	// UnreadSeconds is the age of the oldest unread line since it was first seen, UnstoredSeconds
	// that of the oldest line that is not stored; 0: none.
	UnreadSeconds   float64 `json:"unread_seconds"`
	UnstoredSeconds float64 `json:"unstored_seconds"`
	// BytesPerSecond and LinesPerSecond are the pace of reading.
	BytesPerSecond int64     `json:"bytes_per_second"`
	LinesPerSecond float64   `json:"lines_per_second"`
	Failing        []Failure `json:"failing,omitempty"`
	// Behind are the logs with the longest unread parts.
	Behind []Behind `json:"behind,omitempty"`
	// Holes are the logs in which NUL bytes before lines were skipped.
	Holes []Hole `json:"holes,omitempty"`
	// Unmatched are the sources that no file has matched since the start; if Files is 0, all sources
	// that need a file, with the time since when there is none.
	Unmatched []Failure `json:"unmatched,omitempty"`
	// Strays are files beside followed logs that grow and have lines of an access log, but match no
	// source.
	Strays []string `json:"strays,omitempty"`
	// Held are not read for some seconds, because they may be copies of other logs; their bytes
	// count as unread. Copies are known to be copies of existing logs.
	Held   []string `json:"held,omitempty"`
	Copies []string `json:"copies,omitempty"`
	// Losses were deleted before they were read, and are not acknowledged.
	Losses []checkpoint.Loss `json:"losses,omitempty"`
	// Repeated are the logs that were read again in the last day.
	Repeated []Repeat `json:"repeated,omitempty"`
	// Refused are files that are not logs.
	Refused []Refused `json:"refused,omitempty"`
}

const (
	// deadAfter is how long a log must have failed before it is reported: less may be a rotation in
	// progress.
	deadAfter = 10 * time.Second
	// unmatchedAfter is how long a web server that starts at the same time may take to create its
	// logs before a source without a file is a warning, and nothingAfter before it is an error that
	// no source has one.
	unmatchedAfter = 15 * time.Second
	nothingAfter   = time.Minute
	// stuckAfter is the age at which a status means that the Tailer is stuck; a new one is
	// published every few seconds.
	stuckAfter = time.Minute
)

// Problems describes what prevents logs from being read.
func (s *Status) Problems(now time.Time) (problems []string) {
	if age := now.Sub(s.At); age > stuckAfter {
		problems = append(problems, fmt.Sprintf("reading is stuck for %s", age.Round(time.Second)))
	}
	for _, f := range s.Failing {
		if age := now.Sub(f.Since); age > deadAfter {
			problems = append(problems, fmt.Sprintf("%s cannot be read for %s: %s", f.Path, age.Round(time.Second), f.Error))
		}
	}
	for _, l := range s.Losses {
		if l.Unknown {
			problems = append(problems, "[lost] "+l.String()) // the prefix is a kind in monitor.Kinds
		}
	}
	// Logs of a source may be created later; but if nothing at all is followed, it is a mistake.
	for _, f := range s.Unmatched {
		if age := now.Sub(f.Since); s.Files == 0 && age > nothingAfter {
			problems = append(problems, fmt.Sprintf("source %s: %s", f.Path, f.Error))
		}
	}
	for _, r := range s.Refused {
		problems = append(problems, r.String())
	}
	return problems
}

// Warnings describes which logs may be missing from the sources, and of which lines may be stored
// twice.
func (s *Status) Warnings(now time.Time) (warnings []string) {
	for _, path := range s.Strays {
		warnings = append(warnings, path+" grows beside logs that are read, and no source names it")
	}
	for _, r := range s.Repeated {
		warnings = append(warnings, "[other] "+r.String()) // the prefix is a kind in monitor.Kinds
	}
	for _, f := range s.Unmatched { // if nothing at all is followed, Problems reports it later
		if age := now.Sub(f.Since); age > unmatchedAfter && (s.Files > 0 || age <= nothingAfter) {
			warnings = append(warnings, fmt.Sprintf("source %s: %s since %s", f.Path, f.Error, f.Since.UTC().Format(time.RFC3339)))
		}
	}
	return warnings
}

// Failure is a log or a directory that cannot be read.
type Failure struct {
	Path     string    `json:"path"`
	Error    string    `json:"error"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
}

// Behind is a log with an unread part.
type Behind struct {
	Path        string `json:"path"`
	UnreadBytes int64  `json:"unread_bytes"`
	// MarginSeconds is how long before its deletion the unread part will have been read at the
	// present pace; nil: the log's rotation is not known.
	MarginSeconds *float64 `json:"margin_seconds,omitempty"`
}

// Hole is a log with NUL bytes before some of its lines.
type Hole struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// maxNamed limits the length of each list in a status.
const maxNamed = 100

// Status returns the latest status. It may be called concurrently.
func (t *Tailer) Status() Status {
	t.statusMu.Lock()
	defer t.statusMu.Unlock()
	return t.status
}

// unmatched reports whether a source has no file although it needs one, and since when.
func (t *Tailer) unmatched(m *matcher) (unmatched bool, since time.Time) {
	switch {
	case m.Optional:
		return false, since
	case m.matched: // the logs may have been removed, while the server writes elsewhere
		return len(t.set.files) == 0, t.emptySince
	case !m.began.IsZero():
		return true, m.began
	}
	return true, t.began
}

// publishSources adds the state of the sources to a status.
func (t *Tailer) publishSources(s *Status) {
	if len(t.set.files) > 0 {
		t.emptySince = time.Time{}
	} else if t.emptySince.IsZero() {
		t.emptySince = t.now
	}
	for _, m := range t.directories.matchers {
		if m.err != nil {
			s.Failing = append(s.Failing, Failure{schema.PathText(m.Pattern), m.err.Error(), m.since, m.attempts})
		}
		if unmatched, since := t.unmatched(m); unmatched {
			s.Unmatched = append(s.Unmatched, Failure{Path: schema.PathText(m.Pattern), Error: "no file matches", Since: since})
		}
	}
	s.Unmatched = s.Unmatched[:min(len(s.Unmatched), maxNamed)]
}

func (t *Tailer) publish() {
	s := Status{At: t.now, Files: len(t.set.files), Hot: len(t.set.hot), BytesPerSecond: int64(t.margins.pace.bytesPerSecond), LinesPerSecond: t.margins.pace.linesPerSecond}
	for _, d := range t.directories.byPath {
		if d.err != nil {
			s.Failing = append(s.Failing, Failure{schema.PathText(d.path), d.err.Error(), d.since, d.attempts})
		}
		for name, x := range d.strays {
			if x.isLog && t.now.Sub(x.grown) < strayFor {
				s.Strays = append(s.Strays, schema.PathText(filepath.Join(d.path, name)))
			}
		}
		for name, f := range d.unseen {
			s.Failing = append(s.Failing, Failure{schema.PathText(filepath.Join(d.path, name)), f.err.Error(), f.since, f.attempts})
		}
	}
	t.publishSources(&s)
	for _, f := range t.set.failing {
		s.Failing = append(s.Failing, Failure{schema.PathText(f.path()), f.err.Error(), f.since, f.attempts})
	}
	for _, f := range t.set.held {
		s.Held = append(s.Held, schema.PathText(f.path()))
	}
	t.cfg.Checkpoint.Update(func() {
		for _, f := range t.set.files {
			if r := f.refused; r.content != "" {
				if r.hint != "" {
					s.Refused = append(s.Refused, Refused{schema.PathText(f.path()), r.content, r.hint})
				}
				continue
			}
			if f.copyOf != nil {
				s.Copies = append(s.Copies, schema.PathText(f.path()))
				continue // the original log has the lines
			}
			s.age(f, t.now.Sub(t.began))
			if f.holeBytes > 0 {
				s.Holes = append(s.Holes, Hole{schema.PathText(f.path()), f.holeBytes})
			}
			unread := f.unread()
			s.UnreadBytes += unread
			if unread > 0 {
				s.Behind = append(s.Behind, Behind{schema.PathText(f.path()), unread, f.marginSeconds()})
			}
		}
	})
	for _, r := range t.rests.rests {
		s.UnreadSeconds = max(s.UnreadSeconds, t.now.Sub(r.at).Seconds())
	}
	slices.SortFunc(s.Failing, func(a, b Failure) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(s.Refused, func(a, b Refused) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(s.Behind, func(a, b Behind) int { return int(min(max(b.UnreadBytes-a.UnreadBytes, -1), 1)) })
	slices.SortFunc(s.Holes, func(a, b Hole) int { return strings.Compare(a.Path, b.Path) })
	s.Holes = s.Holes[:min(len(s.Holes), maxNamed)]
	s.Failing = s.Failing[:min(len(s.Failing), maxNamed)]
	s.Behind = s.Behind[:min(len(s.Behind), maxNamed)]
	s.Held = s.Held[:min(len(s.Held), maxNamed)]
	slices.Sort(s.Strays)
	s.Strays = s.Strays[:min(len(s.Strays), maxNamed)]
	slices.Sort(s.Copies)
	s.Copies = s.Copies[:min(len(s.Copies), maxNamed)]
	s.Repeated = t.cfg.Repeats.recent(t.now)
	s.Losses = t.cfg.Checkpoint.Losses.All()
	s.Losses = s.Losses[:min(len(s.Losses), maxNamed)]
	s.Refused = s.Refused[:min(len(s.Refused), maxNamed)]
	t.statusMu.Lock()
	t.status = s
	t.statusMu.Unlock()
}
