package apacheconf

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sluice/ingest/logfile"
	"sluice/ingest/tail"
	"sluice/parse"
	"sluice/parse/httpdconf"
)

// target returns the file, pipe or provider of a CustomLog, as in its directive.
func target(l *httpdconf.Log) string {
	switch {
	case l.Pipe != "":
		return "|" + l.Pipe
	case l.Provider != "":
		return l.Provider
	}
	return l.Path
}

// name describes a log and where it is configured.
func name(l *httpdconf.Log) string {
	return fmt.Sprintf("CustomLog %s (%s:%d)", target(l), l.File, l.Line)
}

// judge returns the logs that have files, and a warning for each other one. A log in /dev is
// discarded on purpose.
func (f *Follower) judge(all []httpdconf.Log) (logs []httpdconf.Log, warnings []string) {
	for _, l := range all {
		switch {
		case f.excluded(&l) || strings.HasPrefix(l.Path, "/dev/"):
		case l.Unread != "":
			warnings = append(warnings, fmt.Sprintf("%s is not read: %s", name(&l), l.Unread))
		default:
			logs = append(logs, l)
		}
	}
	return logs, warnings
}

// excluded reports whether the user excluded the log, by its file, its command's program, or the
// system's log.
func (f *Follower) excluded(l *httpdconf.Log) bool {
	named := l.Path
	if program := strings.Fields(l.Pipe); len(program) > 0 {
		named = strings.Trim(program[0], `"'`)
	}
	if l.Provider != "" {
		named = l.Provider
	}
	return logfile.Excluded(f.cfg.Like.Exclude, named)
}

// patterns returns the patterns of a log's files.
func patterns(l *httpdconf.Log) []string {
	if l.Path != "" {
		return []string{escaped.Replace(l.Path)}
	}
	var all []string
	for _, glob := range l.Rotated {
		// Two adjacent wildcards mean any text and must not become **, which matches directories;
		// braces have no meaning here.
		for strings.Contains(glob, "**") {
			glob = strings.ReplaceAll(glob, "**", "*")
		}
		all = append(all, braces.Replace(glob))
	}
	return all
}

var (
	escaped = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`)
	braces  = strings.NewReplacer(`{`, `\{`, `}`, `\}`)
)

// sourcesOf makes sources of logs. If a LogFormat is invalid, or one file has two formats, the
// format is detected from the log's lines.
func (f *Follower) sourcesOf(logs []httpdconf.Log) (sources []tail.Source, warnings []string) {
	at := map[string]int{}
	by := map[string]*httpdconf.Log{}
	for i := range logs {
		l := &logs[i]
		format := l.Format
		if _, err := parse.Lookup(format, nil); err != nil {
			warnings = append(warnings, fmt.Sprintf("%s: its LogFormat cannot be read, so it is guessed: %v", name(l), err))
			format = parse.AutoName
		}
		for _, pattern := range patterns(l) {
			s := f.cfg.Like
			s.Pattern, s.Format, s.Optional, s.Rotations = pattern, format, l.Pipe != "", l.Path != ""
			if err := s.Check(); err != nil {
				warnings = append(warnings, fmt.Sprintf("%s is not read: %v", name(l), err))
				continue
			}
			known, ok := at[pattern]
			switch {
			case !ok && len(sources) >= maxSources:
				warnings = append(warnings, fmt.Sprintf("%s is not read: there are more than %d logs", name(l), maxSources))
			case !ok:
				at[pattern], by[pattern] = len(sources), l
				sources = append(sources, s)
			case sources[known].Format != format:
				warnings = append(warnings, fmt.Sprintf("%s is written in another LogFormat than by %s:%d, so lines of one of them are not parsed: give each a file of its own", name(l), by[pattern].File, by[pattern].Line))
			}
		}
	}
	return sources, warnings
}

// compare adds a warning for each log that no named source matches.
func (f *Follower) compare(logs []httpdconf.Log, warnings []string) []string {
	for i := range logs {
		l := &logs[i]
		path := l.Path
		if path == "" {
			if path = newest(l.Rotated); path == "" {
				continue // nothing was written so far
			}
		}
		if f.patterns.Name(path) {
			continue
		}
		which := ""
		if l.Path == "" {
			which = ", which writes " + path + ","
		}
		warnings = append(warnings, fmt.Sprintf("%s%s is read by no source", name(l), which))
	}
	return warnings
}

// newest returns the last written of the files that globs match, without compressed ones; "": there
// is none.
func newest(globs []string) (last string) {
	for _, glob := range globs {
		paths, err := filepath.Glob(glob)
		if err != nil {
			continue
		}
		for _, path := range paths {
			if !logfile.CompressedName(path) && (last == "" || newer(path, last)) {
				last = path
			}
		}
	}
	return last
}

func sortedKeys(m map[string]kept) []string { return slices.Sorted(maps.Keys(m)) }
