package tail

import (
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"

	"sluice/parse"
)

// SourceSet is a set of sources that may change while Tailers follow them. Its methods may be
// called concurrently.
type SourceSet struct {
	current atomic.Pointer[[]Source]
}

// Set replaces the sources. Tailers apply them within some seconds: new ones are followed, and a
// log is parsed with its source's present format, zone and labels. A log whose source was removed
// is read as long as it exists, but new files of it are not found.
func (s *SourceSet) Set(sources []Source) {
	sources = slices.Clone(sources)
	s.current.Store(&sources)
}

// Sources returns the sources of the last Set. The slice must not be changed.
func (s *SourceSet) Sources() []Source {
	if p := s.current.Load(); p != nil {
		return *p
	}
	return nil
}

// same reports whether two sources match the same files.
func (s *Source) same(o *Source) bool {
	return s.Pattern == o.Pattern && s.Optional == o.Optional && s.Rotations == o.Rotations && slices.Equal(s.Exclude, o.Exclude)
}

// readsAs reports whether lines of both sources are parsed in the same way.
func (s *Source) readsAs(o *Source) bool {
	return s.Format == o.Format && s.Zone == o.Zone && maps.Equal(s.Labels, o.Labels)
}

// sourceChanges applies the changes of Config.Changing to the directories and files.
type sourceChanges struct {
	*env
	set         *fileSet
	directories *directories
	taken       *[]Source // the current sources of Config.Changing; nil: not read yet
}

// take applies the sources that were set since the last step.
func (sc *sourceChanges) take() {
	if sc.cfg.Changing == nil || sc.cfg.Changing.current.Load() == sc.taken {
		return
	}
	sc.taken = sc.cfg.Changing.current.Load()
	old := map[string]*matcher{}
	for _, m := range sc.directories.matchers[len(sc.cfg.Sources):] {
		old[m.Pattern] = m
	}
	sc.directories.matchers = sc.directories.matchers[:len(sc.cfg.Sources):len(sc.cfg.Sources)]
	for _, s := range *sc.taken {
		m := old[s.Pattern]
		switch {
		case m != nil && m.same(&s):
			delete(old, s.Pattern)
			if !m.readsAs(&s) {
				m.Source = s
				sc.readAnew(m)
			}
		default:
			var err error
			if m, err = newMatcher(s); err != nil {
				sc.cfg.Log.Warn("source is wrong, not followed", "source", s.Pattern, "err", err)
				continue
			}
			m.began = sc.now
		}
		sc.directories.matchers = append(sc.directories.matchers, m)
	}
	sc.relist = true
	sc.leave(old)
}

// leave removes sources. Their logs are assigned to another source that matches them.
func (sc *sourceChanges) leave(gone map[string]*matcher) {
	dropped := map[*matcher]bool{}
	for _, m := range gone {
		dropped[m] = true
	}
	for _, d := range sc.directories.byPath {
		d.matchers = slices.DeleteFunc(d.matchers, func(m *matcher) bool { return dropped[m] })
		d.byBase = nil
		for _, m := range d.matchers {
			d.index(m)
		}
	}
	sc.directories.findDirs()
	for _, f := range sc.set.files {
		if !dropped[f.source] {
			continue
		}
		for _, p := range f.places {
			if m := p.dir.match(p.name); m != nil {
				f.source, m.matched = m, true
				sc.readAs(f)
				break
			}
		}
	}
}

// readAnew parses the logs of a source as it is configured now.
func (sc *sourceChanges) readAnew(m *matcher) {
	for _, f := range sc.set.files {
		if f.source == m {
			sc.readAs(f)
		}
	}
}

// readAs gives a known stream the format, zone and labels of its source, for lines that are not
// read yet.
func (sc *sourceChanges) readAs(f *file) {
	if f.stream == nil {
		return
	}
	sc.cfg.Checkpoint.Update(func() {
		if f.source.Format != parse.AutoName {
			f.stream.Format = f.source.Format
		}
		f.stream.Zone, f.stream.Labels = f.source.Zone, f.source.Labels
	})
	sc.cfg.Log.Info("log format changed", "path", f.path(), "format", f.stream.Format)
}

// Patterns are compiled sources, to ask which files they match.
type Patterns struct{ matchers []*matcher }

// NewPatterns compiles the patterns of sources. It returns an error if one is invalid.
func NewPatterns(sources []Source) (*Patterns, error) {
	p := new(Patterns)
	for _, s := range sources {
		m, err := newMatcher(s)
		if err != nil {
			return nil, err
		}
		p.matchers = append(p.matchers, m)
	}
	return p, nil
}

// Name reports whether one of the sources matches the file at an absolute path, by that path or by
// the one to which symbolic links lead.
func (p *Patterns) Name(path string) bool {
	dirs := []string{filepath.Dir(path)}
	if real, err := filepath.EvalSymlinks(dirs[0]); err == nil && real != dirs[0] {
		dirs = append(dirs, real)
	}
	for _, m := range p.matchers {
		for _, dir := range dirs {
			if m.inDirectory(dir) && m.match(dir, filepath.Base(path)) {
				return true
			}
		}
	}
	// A link to the file itself, or a file that is matched by its target's name.
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path && filepath.Dir(real) != dirs[len(dirs)-1] {
		return p.Name(real)
	}
	return false
}
