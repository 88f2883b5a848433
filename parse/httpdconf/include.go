package httpdconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// include reads every file that an Include or IncludeOptional names.
func (r *reader) include(args []string, optional bool) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("takes one file, directory or pattern; quote a name that has spaces")
	}
	name := r.root.under(args[0])
	if r.depth >= maxIncludeDepth {
		return fmt.Errorf("%s would be included more than %d files deep; does a file include itself?", name, maxIncludeDepth)
	}
	f := finder{optional: optional, left: maxFiles, looked: r.looked}
	if err := f.find("/", strings.Split(strings.TrimPrefix(name, "/"), "/")); err != nil {
		return err
	}
	for _, file := range f.files {
		if err := r.readFile(file); err != nil {
			return err
		}
	}
	return nil
}

// finder collects the files of one Include in httpd's order: names in byte order, and a directory's
// files before the next name.
type finder struct {
	optional bool
	files    []string
	left     int // remaining number of names
	looked   map[string]bool
}

// find walks the pattern's parts below dir.
func (f *finder) find(dir string, parts []string) error {
	for len(parts) > 0 && !hasPattern(parts[0]) {
		dir = filepath.Join(dir, parts[0])
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return f.take(dir, 0)
	}
	entries, err := f.list(dir)
	if err != nil {
		if f.optional && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	found := false
	for _, e := range entries {
		ok, err := matchName(parts[0], e.Name())
		if err != nil {
			return fmt.Errorf("pattern %q: %w", parts[0], err)
		}
		// In the middle of a path httpd follows real directories only, not into links.
		if !ok || len(parts) > 1 && !e.IsDir() {
			continue
		}
		found = true
		if len(parts) == 1 {
			err = f.take(filepath.Join(dir, e.Name()), 0)
		} else {
			err = f.find(filepath.Join(dir, e.Name()), parts[1:])
		}
		if err != nil {
			return err
		}
	}
	if !found && !f.optional {
		return fmt.Errorf("nothing in %s matches %q; use IncludeOptional if that is right", dir, parts[0])
	}
	return nil
}

// take adds a file, or every file in and below a directory, also hidden ones.
func (f *finder) take(name string, depth int) error {
	f.looked[name] = true
	info, err := os.Stat(name)
	if err != nil {
		if f.optional && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w; create it, or use IncludeOptional if it may be missing", name, fs.ErrNotExist)
		}
		return openError(name, err)
	}
	if !info.IsDir() {
		f.files = append(f.files, name)
		return nil
	}
	if depth >= maxIncludeDepth {
		return fmt.Errorf("%s: more than %d directories deep; does a link lead back up?", name, maxIncludeDepth)
	}
	entries, err := f.list(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := f.take(filepath.Join(name, e.Name()), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) list(dir string) ([]os.DirEntry, error) {
	f.looked[dir] = true
	entries, err := os.ReadDir(dir) // by name, in byte order, as httpd's strcmp
	if err != nil {
		return nil, openError(dir, err)
	}
	if f.left -= len(entries); f.left < 0 {
		return nil, fmt.Errorf("%s: an include examines more than %d names; use a narrower pattern", dir, maxFiles)
	}
	return slices.Clip(entries), nil
}

func hasPattern(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// matchName is apr_fnmatch with APR_FNM_PERIOD: a leading dot is matched by a dot
// only, and [!a] is [^a].
func matchName(pattern, name string) (bool, error) {
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(pattern, ".") {
		return false, nil
	}
	return path.Match(strings.ReplaceAll(pattern, "[!", "[^"), name)
}
