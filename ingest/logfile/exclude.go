package logfile

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// CheckExclude returns an error for the first invalid glob.
func CheckExclude(globs []string) error {
	for _, glob := range globs {
		if !doublestar.ValidatePattern(glob) {
			return fmt.Errorf("%q: %w", glob, doublestar.ErrBadPattern)
		}
	}
	return nil
}

// Excluded reports whether one of the globs (doublestar) matches the file: its name or, if the glob
// has a slash, its whole path.
func Excluded(globs []string, path string) bool {
	for _, glob := range globs {
		name := path
		if !strings.Contains(glob, "/") {
			name = filepath.Base(path)
		}
		if doublestar.MatchUnvalidated(glob, name) {
			return true
		}
	}
	return false
}
