package httpdconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// place is where a directive starts.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// reader is the state of one Read: what httpd knows at this point of its configuration.
type reader struct {
	root    *serverRoot
	version string
	vars    variables
	modules map[string]bool
	macros  macros

	sections  sections
	depth     int // files being read
	files     int // files read
	looked    map[string]bool
	bytesLeft int

	servers  servers
	warnings warnings
}

func newReader(path string, opts Options) (*reader, error) {
	root, err := newServerRoot(path, opts.ServerRoot)
	if err != nil {
		return nil, err
	}
	env, err := readEnvvars(filepath.Dir(path), opts.Env)
	if err != nil {
		return nil, fmt.Errorf("apache configuration: %w", err)
	}
	r := &reader{
		root:      root,
		version:   opts.Version,
		vars:      newVariables(opts.Defines, env),
		modules:   compiledIn(opts.Modules),
		macros:    macros{defined: map[string]*macro{}},
		bytesLeft: maxTotalBytes,
		looked:    map[string]bool{filepath.Join(filepath.Dir(path), "envvars"): true},
	}
	if r.version == "" {
		r.version = defaultVersion
	}
	main := newServer("")
	r.servers = servers{sections: &r.sections, warnings: &r.warnings, version: r.version, main: main, current: main}
	return r, nil
}

// resolve returns the logs of a configuration that was read.
func (r *reader) resolve() []Log {
	return (&resolver{root: r.root, servers: &r.servers, warnings: &r.warnings}).resolve()
}

// readFile reads one file to its end. A section must end in the file it starts in.
func (r *reader) readFile(path string) error {
	if r.files++; r.files > maxFiles {
		return fmt.Errorf("%s: more than %d files are included; does a file include itself?", path, maxFiles)
	}
	r.looked[path] = true
	text, err := readBounded(path)
	if err != nil {
		return err
	}
	r.depth++
	defer func() { r.depth-- }()
	in := &input{base: len(r.sections.open)}
	for l := (lines{rest: text}); ; {
		line, number, ok, err := l.next()
		at := place{path, number}
		if err != nil {
			return &placedError{at, err}
		}
		if !ok {
			return r.endFile(in)
		}
		if err := r.line(in, line, at); err != nil {
			return err
		}
	}
}

// readBounded reads a whole regular file; reading a FIFO would block.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if path == os.DevNull {
		return nil, nil
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file; name the configuration file itself", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s: more than %d bytes; is this an httpd configuration?", path, maxFileBytes)
	}
	return text, nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w; run as root or as a user who may read it", path, fs.ErrPermission)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// line processes one logical line, of a file or of a macro.
func (r *reader) line(in *input, text string, at place) error {
	err := r.act(in, text, at)
	if err == nil || errors.As(err, new(*placedError)) {
		return err
	}
	return &placedError{at, err}
}

func (r *reader) act(in *input, text string, at place) error {
	if text == "" || text[0] == '#' {
		return nil
	}
	if err := r.spend(lineCostBytes + len(text)); err != nil {
		return err
	}
	if in.collect != nil {
		return in.collect(text, at)
	}
	text, missing, err := r.vars.expand(text)
	if err != nil {
		return err
	}
	if err := r.spend(len(text)); err != nil {
		return err
	}
	name, args := word(text)
	name = strings.ToLower(name)
	if understood[strings.TrimSuffix(name, ">")] {
		for _, v := range missing {
			r.warnings.add(at, "${%s} is not defined; give httpd's value of it as a define or in the environment", v)
		}
	}
	switch {
	case strings.HasPrefix(name, "</"):
		return r.closeSection(in, name)
	case strings.HasPrefix(name, "<"):
		return r.openSection(in, name, args, at)
	}
	return r.directive(in, name, args, at)
}

// spend counts processed bytes, so that nested includes, variables and macros cannot keep Read busy
// without end.
func (r *reader) spend(n int) error {
	if r.bytesLeft -= n; r.bytesLeft < 0 {
		return fmt.Errorf("the configuration is larger than %d bytes with everything put in; does a file or macro repeat itself?", maxTotalBytes)
	}
	return nil
}

// placedError is an error with its place; the innermost place is the one to fix.
type placedError struct {
	at  place
	err error
}

func (e *placedError) Error() string { return e.at.String() + ": " + e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }
