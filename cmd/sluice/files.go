package main

import (
	"path/filepath"
	"slices"

	"sluice/ingest/logfile"
	"sluice/ingest/tail"
)

// excludeFlags exclude files that the names and patterns of logs match.
type excludeFlags struct {
	Exclude []string `sep:"none" placeholder:"GLOB" help:"Skip files whose name matches this glob, such as '*.zip'. A glob with a slash is matched against the absolute path. May be repeated."`
}

func (e excludeFlags) check() error {
	if err := logfile.CheckExclude(e.Exclude); err != nil {
		return usage("--exclude %w", err)
	}
	return nil
}

// expand returns the current files of the patterns. A file that is named twice, or by a link, is
// returned once. failed are the errors of files that match a pattern but cannot be opened; they do
// not affect the other files. A file that is named and cannot be opened is an error.
func (e excludeFlags) expand(patterns []string) (logs []logfile.Log, failed []error, err error) {
	for _, pattern := range patterns {
		paths, err := tail.Source{Pattern: pattern}.Paths()
		if err != nil {
			return nil, nil, usageError{err}
		}
		for _, path := range paths {
			if absolute, err := filepath.Abs(path); err == nil && logfile.Excluded(e.Exclude, absolute) {
				continue
			}
			l, err := logfile.Look(path)
			switch {
			case err != nil && path != pattern:
				failed = append(failed, err)
			case err != nil:
				return nil, nil, usageError{err}
			case !slices.ContainsFunc(logs, func(o logfile.Log) bool { return o.ID == l.ID }):
				logs = append(logs, l)
			}
		}
	}
	if len(logs) == 0 && len(failed) == 0 {
		return nil, nil, usage("--exclude matches every file that is named, so none is left")
	}
	return logs, failed, nil
}
