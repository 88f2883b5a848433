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

// Status is what a Tailer is about, some seconds old. Its paths are schema.PathText.
type Status struct {
	At time.Time `json:"at"`
	// Files are followed; Hot of them have grown of late and are open.
	Files int `json:"files"`
	Hot   int `json:"hot"`
	// UnreadBytes are known to wait in the logs.
	UnreadBytes int64 `json:"unread_bytes"`
	// WrittenBytes is how long the logs are that are there, ReadBytes how much of them
	// is read, StoredBytes how much of them table and archive have.
	WrittenBytes int64 `json:"written_bytes"`
	ReadBytes    int64 `json:"read_bytes"`
	StoredBytes  int64 `json:"stored_bytes"`
	// UnreadSeconds ago the oldest unread line was first seen, UnstoredSeconds ago the
	// oldest one that is not stored; 0 where there is none.
	UnreadSeconds   float64 `json:"unread_seconds"`
	UnstoredSeconds float64 `json:"unstored_seconds"`
	// BytesPerSecond and LinesPerSecond are the pace of reading.
	BytesPerSecond int64     `json:"bytes_per_second"`
	LinesPerSecond float64   `json:"lines_per_second"`
	Failing        []Failure `json:"failing,omitempty"`
	// Behind are the logs with the longest unread part.
	Behind []Behind `json:"behind,omitempty"`
	// Holes are the logs in which NUL bytes before lines were skipped.
	Holes []Hole `json:"holes,omitempty"`
	// Unmatched are the sources that no file has matched since the start.
	Unmatched []Failure `json:"unmatched,omitempty"`
	// Strays are files beside logs that are followed: they grow, their lines are those of an
	// access log, and no source names them.
	Strays []string `json:"strays,omitempty"`
	// Held are not read for some seconds, as they may be copies of other logs; their
	// bytes count as unread. Copies are known to be copies of logs that are there.
	Held   []string `json:"held,omitempty"`
	Copies []string `json:"copies,omitempty"`
	// Losses are what was deleted unread and is not acknowledged.
	Losses []checkpoint.Loss `json:"losses,omitempty"`
	// Refused are files that hold no log.
	Refused []Refused `json:"refused,omitempty"`
}

const (
	// deadAfter: a log that cannot be read for so long is not one that is just being
	// rotated.
	deadAfter = 10 * time.Second
	// unmatchedAfter: a web server that starts with us has made its logs by then.
	unmatchedAfter = time.Minute
	// stuckAfter: a status comes every few seconds, however little there is to do.
	stuckAfter = time.Minute
)

// Troubles says in words what keeps logs from being read.
func (s *Status) Troubles(now time.Time) (troubles []string) {
	if age := now.Sub(s.At); age > stuckAfter {
		troubles = append(troubles, fmt.Sprintf("reading is stuck for %s", age.Round(time.Second)))
	}
	for _, f := range s.Failing {
		if age := now.Sub(f.Since); age > deadAfter {
			troubles = append(troubles, fmt.Sprintf("%s cannot be read for %s: %s", f.Path, age.Round(time.Second), f.Error))
		}
	}
	for _, l := range s.Losses {
		if l.Unknown {
			troubles = append(troubles, "[lost] "+l.String()) // a kind of monitor.Kinds
		}
	}
	// A source's logs may come later; that nothing at all is followed is a mistake.
	for _, f := range s.Unmatched {
		if age := now.Sub(f.Since); s.Files == 0 && age > unmatchedAfter {
			troubles = append(troubles, fmt.Sprintf("source %s: %s", f.Path, f.Error))
		}
	}
	for _, r := range s.Refused {
		troubles = append(troubles, r.String())
	}
	return troubles
}

// Warnings says in words which logs are perhaps left out.
func (s *Status) Warnings(now time.Time) (warnings []string) {
	for _, path := range s.Strays {
		warnings = append(warnings, path+" grows beside logs that are read, and no source names it")
	}
	for _, f := range s.Unmatched { // when nothing at all is followed it is an error
		if age := now.Sub(f.Since); s.Files > 0 && age > unmatchedAfter {
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
	// MarginSeconds is how long before its deletion the unread part will have been
	// read, at the present pace; nil where the log's rotation is not known.
	MarginSeconds *float64 `json:"margin_seconds,omitempty"`
}

// Hole is a log with NUL bytes before some of its lines.
type Hole struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// maxNamed bounds what a status lists by name.
const maxNamed = 100

// Status returns the latest status. Any goroutine may call it.
func (t *Tailer) Status() Status {
	t.statusMu.Lock()
	defer t.statusMu.Unlock()
	return t.status
}

func (t *Tailer) publish() {
	s := Status{At: t.now, Files: len(t.set.files), Hot: len(t.set.hot), BytesPerSecond: int64(t.margins.pace.bytesPerSecond), LinesPerSecond: t.margins.pace.linesPerSecond}
	for _, d := range t.discovery.dirs {
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
	for _, m := range t.discovery.matchers {
		if m.err != nil {
			s.Failing = append(s.Failing, Failure{schema.PathText(m.Pattern), m.err.Error(), m.since, m.attempts})
		}
		if !m.matched && !m.Optional {
			since := t.began
			if !m.began.IsZero() {
				since = m.began
			}
			s.Unmatched = append(s.Unmatched, Failure{Path: schema.PathText(m.Pattern), Error: "no file matches", Since: since})
		}
	}
	s.Unmatched = s.Unmatched[:min(len(s.Unmatched), maxNamed)]
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
				continue // its log has the lines
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
	s.Losses = t.cfg.Checkpoint.Losses()
	s.Losses = s.Losses[:min(len(s.Losses), maxNamed)]
	s.Refused = s.Refused[:min(len(s.Refused), maxNamed)]
	t.statusMu.Lock()
	t.status = s
	t.statusMu.Unlock()
}
