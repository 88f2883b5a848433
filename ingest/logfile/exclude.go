package logfile

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// CheckExclude reports the first of the globs that is none.
func CheckExclude(globs []string) error {
	for _, glob := range globs {
		if !doublestar.ValidatePattern(glob) {
			return fmt.Errorf("%q: %w", glob, doublestar.ErrBadPattern)
		}
	}
	return nil
}

// Excluded reports whether one of the globs (doublestar) names the file: its
// name or, where the glob has a slash, its whole path.
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
