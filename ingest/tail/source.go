package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sluice/ingest/logfile"
)

// Source is a set of logs that share a format.
type Source struct {
	// Pattern is a path, a glob (path/filepath.Match), or "re:" and a directory
	// with a regular expression for the whole file name, as a Flume TAILDIR source
	// has: re:/var/log/apache2/access_.*
	Pattern string
	// Format is a LogFormat, a nickname, a pattern (parse.Lookup), or auto.
	Format string
	// Zone is an IANA name for times that say no zone; empty is UTC.
	Zone   string
	Labels map[string]string
}

// regexpPrefix marks a Pattern that is a directory and a regular expression.
const regexpPrefix = "re:"

// matcher is a Source, compiled.
type matcher struct {
	Source
	dirs    string // a glob of directories
	globbed bool   // dirs has a wildcard
	literal bool   // the pattern is a path
	name    func(string) bool
}

// Check reports what is wrong with the pattern.
func (s Source) Check() error {
	_, err := newMatcher(s)
	return err
}

// Paths returns the regular files that the pattern names now, compressed ones too, in
// the order of their names. A path without a wildcard is returned as it is.
func (s Source) Paths() ([]string, error) {
	m, err := newMatcher(s)
	if err != nil {
		return nil, err
	}
	if m.literal {
		return []string{s.Pattern}, nil
	}
	dirs, err := m.expand()
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", s.Pattern, err)
	}
	var paths []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Pattern, err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if !m.name(e.Name()) {
				continue
			}
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("source %s: no file matches", s.Pattern)
	}
	return paths, nil
}

func newMatcher(s Source) (*matcher, error) {
	m := &matcher{Source: s}
	pattern, isRegexp := strings.CutPrefix(s.Pattern, regexpPrefix)
	path, err := filepath.Abs(pattern)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", s.Pattern, err)
	}
	dir, name := filepath.Split(path)
	if name == "" {
		return nil, fmt.Errorf("source %s: it names a folder; say which files: %s", s.Pattern, filepath.Join(pattern, "*access*"))
	}
	if isRegexp {
		re, err := regexp.Compile("^(?:" + name + ")$")
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Pattern, err)
		}
		m.dirs, m.name = quoteGlob(dir), re.MatchString
		return m, nil
	}
	m.literal = !strings.ContainsAny(path, `*?[\\`)
	if _, err := os.Lstat(path); err == nil { // a name like access[1].log
		m.literal = true
		dir, name = quoteGlob(dir), quoteGlob(name)
	}
	if _, err := filepath.Match(dir+name, ""); err != nil {
		return nil, fmt.Errorf("source %s: %w", s.Pattern, err)
	}
	m.dirs, m.globbed = dir, strings.ContainsAny(dir, "*?[")
	m.name = func(s string) bool {
		ok, err := filepath.Match(name, s)
		return ok && err == nil
	}
	return m, nil
}

// match reports whether a file of that name is a log to follow. Compressed files
// do not grow: what one holds that was not read before is looked for when the
// log it was made of is gone.
func (m *matcher) match(name string) bool {
	return m.name(name) && !logfile.CompressedName(name)
}

// expand returns the directories there are now.
func (m *matcher) expand() ([]string, error) {
	if !m.globbed {
		return []string{unquoteGlob(filepath.Clean(m.dirs))}, nil
	}
	return filepath.Glob(filepath.Clean(m.dirs))
}

func quoteGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func unquoteGlob(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
