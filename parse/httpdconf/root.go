package httpdconf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// serverRoot is httpd's ServerRoot.
type serverRoot struct {
	path  string
	fixed bool // given by Options
}

// newServerRoot returns the root of a configuration without the directive. given is that of Options;
// "" is none.
func newServerRoot(configuration, given string) (*serverRoot, error) {
	path := given
	if path == "" {
		path = filepath.Dir(configuration)
		if filepath.Base(path) == "conf" {
			path = filepath.Dir(path)
		}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("apache configuration: server root %s: %w", path, err)
	}
	return &serverRoot{path: absolute, fixed: given != ""}, nil
}

// set handles a ServerRoot directive.
func (r *serverRoot) set(args []string) error {
	if len(args) != 1 || !filepath.IsAbs(args[0]) {
		return errors.New("takes one absolute directory")
	}
	if r.fixed {
		return nil
	}
	if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a directory on this host; if this is a copy of a configuration, give its directory as the server root", args[0])
	}
	r.path = filepath.Clean(args[0])
	return nil
}

// under resolves a path like httpd: relative ones start at ServerRoot.
func (r *serverRoot) under(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.path, path)
}

// underGlob makes a glob absolute.
func (r *serverRoot) underGlob(glob string) string {
	if filepath.IsAbs(glob) {
		return filepath.Clean(glob)
	}
	return filepath.Join(escapeGlob(r.path), glob)
}
