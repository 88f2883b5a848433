package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"sluice/ingest/logfile"
)

// Source is a set of logs with one format.
type Source struct {
	// Pattern is a path; or a glob, in which ** matches any number of directories and {a,b} either
	// of two; or "re:" with a directory and a regular expression for the whole file name, as in a
	// Flume TAILDIR source: re:/var/log/apache2/access_.*
	Pattern string
	// Format is a LogFormat, a nickname, a pattern (parse.Lookup), or auto.
	Format string
	// Zone is the IANA name of the time zone for times without one; empty: UTC.
	Zone   string
	Labels map[string]string
	// Exclude are globs (doublestar) of files that are not followed. They match names, or absolute
	// paths if they have a slash.
	Exclude []string
	// Rotations is true if Pattern is a path and the source includes the files that rotations made
	// from it, in its directory, so that a log that was created and renamed between two listings is
	// found.
	Rotations bool
	// Optional suppresses the warning that no file matches.
	Optional bool
}

// regexpPrefix marks a Pattern with a regular expression.
const regexpPrefix = "re:"

// matcher is a compiled Source.
type matcher struct {
	Source
	dirs    string // a glob of directories; with tree, of the root directories
	globbed bool   // dirs has a wildcard
	literal bool   // the pattern is a path without wildcards
	tree    string // the whole absolute pattern if it has **; otherwise ""
	name    func(string) bool
	base    string // base name of the path, with Rotations
	// matched: a file was found. warned: it was logged that none was found.
	matched, warned bool
	began           time.Time // since when it is followed; zero: since the start
	failure                   // errTreeTooLarge
}

// Check returns an error if the syntax of the pattern is wrong, or if it names a directory instead
// of files.
func (s Source) Check() error {
	_, err := newMatcher(s)
	return err
}

func newMatcher(s Source) (*matcher, error) {
	m := &matcher{Source: s}
	pattern, isRegexp := strings.CutPrefix(s.Pattern, regexpPrefix)
	path, err := filepath.Abs(pattern)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", s.Pattern, err)
	}
	if info, err := os.Stat(path); pattern == "" || strings.HasSuffix(pattern, "/") || err == nil && info.IsDir() {
		files := filepath.Join(pattern, "*access*")
		if isRegexp {
			files = regexpPrefix + filepath.Join(pattern, ".*access.*")
		}
		return nil, fmt.Errorf("source %s: it is a directory\nhint: name the files in it, for example %s", s.Pattern, files)
	}
	if isRegexp {
		return m, m.compileRegexp(path)
	}
	return m, m.compileGlob(path)
}

func (m *matcher) compileRegexp(path string) error {
	dir, name := filepath.Split(path)
	re, err := regexp.Compile("^(?:" + name + ")$")
	if err != nil {
		return fmt.Errorf("source %s: %w", m.Pattern, err)
	}
	if _, err := os.Stat(dir); err != nil && strings.ContainsAny(dir, `*?[](){}|+^$\`) {
		return fmt.Errorf("source %s: the directory %s does not exist\nhint: the regular expression is for the file name only; for several directories write several sources, or a glob", m.Pattern, dir)
	}
	m.dirs, m.name = quoteGlob(dir), re.MatchString
	return nil
}

func (m *matcher) compileGlob(path string) error {
	_, err := os.Lstat(path)
	if m.literal = err == nil || !strings.ContainsAny(path, `*?[{\`); m.literal { // also an existing name like access[1].log
		path = quoteGlob(path)
	}
	if !doublestar.ValidatePattern(path) {
		return fmt.Errorf("source %s: the pattern has a syntax error: a bracket or brace is not closed, or a backslash ends it", m.Pattern)
	}
	parts, err := splitGlob(path)
	if err != nil {
		return fmt.Errorf("source %s: %w", m.Pattern, err)
	}
	root := len(parts) - 1
	for i, part := range parts {
		if !strings.Contains(part, "**") {
			continue
		}
		if part != "**" {
			return fmt.Errorf("source %s: ** must stand between slashes\nhint: /var/log/**/*access*.log names the files in /var/log and in all directories below it", m.Pattern)
		}
		if m.tree == "" {
			m.tree, root = path, i
		}
	}
	m.dirs = "/" + strings.Join(parts[:root], "/")
	m.globbed = strings.ContainsAny(m.dirs, "*?[{")
	name := parts[len(parts)-1]
	if m.Rotations {
		m.base = unquoteGlob(name)
	}
	m.name = func(s string) bool { return doublestar.MatchUnvalidated(name, s) }
	return nil
}

// splitGlob splits an absolute pattern at its slashes. A slash within braces is permitted only in
// directories, and only without **.
func splitGlob(path string) (parts []string, err error) {
	depth, start := 0, 1
	class := false  // within brackets
	across := false // the part has a slash within braces
	for i := 1; i <= len(path); i++ {
		if i < len(path) {
			switch c := path[i]; {
			case c == '\\':
				i++
				continue
			case class || c == '[':
				class = c != ']'
			case c == '{':
				depth++
			case c == '}':
				depth--
			case c == '/':
				across = across || depth > 0
			}
			if path[i] != '/' || depth > 0 {
				continue
			}
		}
		part := path[start:i]
		if across && (i == len(path) || strings.Contains(part, "**")) {
			return nil, fmt.Errorf("braces around a file name or ** must not have a slash in them\nhint: write a pattern for each: %s", part)
		}
		parts, start, across = append(parts, part), i+1, false
	}
	return parts, nil
}

// match reports whether a file with that name is a log to follow. Compressed files do not grow;
// what they have that was not read before is searched when the log that they were made from is
// gone.
func (m *matcher) match(dir, name string) bool {
	return m.names(dir, name) && !logfile.CompressedName(name) && !logfile.Excluded(m.Exclude, filepath.Join(dir, name))
}

// names reports whether the pattern matches a file in a directory of expand or below a root
// directory.
func (m *matcher) names(dir, name string) bool {
	if m.tree != "" {
		return doublestar.MatchUnvalidated(m.tree, filepath.Join(dir, name))
	}
	return m.name(name)
}

// inDirectory reports whether files in the directory may match; with tree only names can tell.
func (m *matcher) inDirectory(dir string) bool {
	return m.tree != "" || doublestar.MatchUnvalidated(filepath.Clean(m.dirs), dir)
}

// expand returns the directories that exist now; with tree, the root directories.
func (m *matcher) expand() ([]string, error) {
	if !m.globbed {
		return []string{unquoteGlob(filepath.Clean(m.dirs))}, nil
	}
	return doublestar.FilepathGlob(m.dirs)
}

func quoteGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`, `}`, `\}`).Replace(s)
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
