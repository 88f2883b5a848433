// Package httpdconf reads an Apache httpd configuration with Read, and lists the access logs that
// httpd writes with it, each with its LogFormat.
//
// It follows httpd 2.4 (server/config.c, server/core.c, mod_log_config.c, mod_macro.c,
// mod_version.c) as far as a log's path and format depend on it: Include, Define, the <If…>
// sections that httpd evaluates while it reads, macros, virtual hosts and their inheritance. Every
// other directive is skipped, so a module that is not installed here is no error. Nothing is
// executed.
package httpdconf

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Log is one CustomLog, GlobalLog or TransferLog directive. Exactly one of Path,
// Pipe and Provider is set. Two directives may write to one file; both are listed.
type Log struct {
	// Path is the absolute path of the file.
	Path string
	// Pipe is the command that httpd writes to, without "|", "||" or "|$".
	Pipe string
	// Rotated are globs (path/filepath.Match) of the files that Pipe writes, if it is rotatelogs or
	// cronolog.
	Rotated []string
	// Provider is "syslog:…" or "journald:…", for httpd 2.5; for 2.4 that is a file.
	Provider string
	// Unread is the reason why there are no files to read: a device, a pipe with unknown files, a
	// format without a directive; "" if there are files.
	Unread string

	// Format is the format string as mod_log_config gets it: the nickname replaced, without quotes
	// and their backslashes, "\t" and "\n" still two characters.
	Format string
	// Nickname is the LogFormat name of Format; "" for a format without one and for TransferLog.
	Nickname string

	// VirtualHost is the ServerName of the directive's virtual host, its addresses without a name,
	// "" for the main server.
	VirtualHost string
	// InheritedBy are the virtual hosts whose requests are logged here, too: those without a log of
	// their own, and every one for a GlobalLog. Logs share this slice.
	InheritedBy []string
	// Condition is "env=…" or "expr=…" as written: only some requests are logged.
	Condition string

	// File and Line are the start of the directive; in a macro, inside <Macro>.
	File string
	Line int
}

// Config is the result of Read, in the order of httpd.
type Config struct {
	Logs []Log
	// Warnings are "file:line: …": guesses, and what httpd accepts but is probably a mistake.
	Warnings []string
	// Looked are the files and directories that Read examined: while none of them changes or is
	// created, Read returns the same.
	Looked []string
}

// Options are what httpd gets from its command line, its environment and its build. The zero value
// is for a configuration on its own host.
type Options struct {
	// ServerRoot is used instead of every ServerRoot directive, for a copy of a configuration.
	// Without either it is the configuration's directory, or the parent of that if it is called
	// "conf".
	ServerRoot string
	// Defines are httpd's -D parameters; a value, if any, is that of ${NAME}.
	Defines map[string]string
	// Env is httpd's environment. It takes precedence over the file "envvars" beside the
	// configuration (Debian's), whose plain assignments are read. The environment of this process
	// is not used.
	Env map[string]string
	// Modules are <IfModule> names compiled into httpd, in addition to those that Debian compiles
	// in (core, so, http, log_config, logio, version, unixd, watchdog). Every other module counts
	// as loaded after its LoadModule.
	Modules []string
	// Version is that of httpd, for <IfVersion> and syslog; "" is DefaultVersion.
	Version string
}

// defaultVersion is the version of httpd if Options have none.
const defaultVersion = "2.4.71"

// Bounds of one configuration. httpd's own are maxIncludeDepth (its AP_MAX_INCLUDE_DEPTH) and lines
// of 16 MiB; they are far above real configurations.
const (
	maxIncludeDepth = 128
	maxFiles        = 20_000
	maxFileBytes    = 16 << 20
	maxLineBytes    = 1 << 20
	maxTotalBytes   = 256 << 20 // of lines, variables and macros after replacement
	lineCostBytes   = 64        // added for each line: many short ones cost time, too
	maxLogs         = 50_000
	maxVirtualHosts = 50_000
	maxWarnings     = 1_000
)

// Read reads the configuration at path and everything it includes. It returns an error "file:line:
// …" if httpd would refuse to start, or if a file cannot be read or a bound is exceeded; then no
// log is listed, because an incomplete list would look complete. Read keeps no state and is safe
// for concurrent use.
func Read(path string, opts Options) (*Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("apache configuration %s: %w", path, err)
	}
	r, err := newReader(path, opts)
	if err != nil {
		return nil, err
	}
	if err := r.readFile(path); err != nil {
		return nil, fmt.Errorf("apache configuration: %w", err)
	}
	logs := r.resolve()
	return &Config{Logs: logs, Warnings: r.warnings.texts, Looked: slices.Sorted(maps.Keys(r.looked))}, nil
}
