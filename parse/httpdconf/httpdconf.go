// Package httpdconf reads an Apache httpd configuration and lists the access
// logs that it makes httpd write, each with its LogFormat.
//
// It follows httpd 2.4 (server/config.c, server/core.c, mod_log_config.c,
// mod_macro.c, mod_version.c) in what decides a log's path and format: Include,
// Define, the <If…> sections that httpd decides while it reads, macros, virtual
// hosts and their inheritance. Every other directive is passed over unread, so a
// module that is not installed here is no error. Nothing is executed.
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
	// Path is the absolute file that httpd appends to.
	Path string
	// Pipe is the command httpd writes to, without "|", "||" or "|$".
	Pipe string
	// Rotated are globs (path/filepath.Match) of the files that Pipe writes, when it
	// is rotatelogs or cronolog.
	Rotated []string
	// Provider is "syslog:…" or "journald:…", to httpd 2.5; to 2.4 that is a file.
	Provider string
	// Unread says why there are no files to be read as a log: a device, a pipe whose
	// files are not known, a format without a directive. "" where there are.
	Unread string

	// Format is the format string as mod_log_config gets it: nickname looked up,
	// quotes and their backslashes gone, "\t" and "\n" still two characters.
	Format string
	// Nickname is the LogFormat name by which Format was found; "" for a format
	// written in place and for TransferLog.
	Nickname string

	// VirtualHost is the ServerName of the virtual host that the directive stands
	// in, its addresses where it has no name, "" for the main server.
	VirtualHost string
	// InheritedBy are the virtual hosts whose requests come here too: those without
	// a log of their own, and every one for a GlobalLog. Logs share this slice.
	InheritedBy []string
	// Condition is "env=…" or "expr=…" as written: only some requests are logged.
	Condition string

	// File and Line are where the directive starts; in a macro, inside <Macro>.
	File string
	Line int
}

// Config is what Read found, in the order in which httpd reads it.
type Config struct {
	Logs []Log
	// Warnings say "file:line: …" what could not be known and was guessed, or what
	// httpd accepts and the administrator hardly meant.
	Warnings []string
	// Looked are the files and directories that were looked at: as long as none of them
	// changes, or comes into being, Read finds the same.
	Looked []string
}

// Options stand for what httpd gets from its command line, its environment and
// its build. The zero value suits a configuration on the host that runs it.
type Options struct {
	// ServerRoot is used instead of every ServerRoot directive, for a copy of a
	// configuration. Without either it is the configuration's folder, or that
	// folder's parent where it is called "conf".
	ServerRoot string
	// Defines are httpd's -D; a value, if any, is what ${NAME} gives.
	Defines map[string]string
	// Env is httpd's environment. It wins over the file "envvars" beside the
	// configuration (Debian's), of which plain assignments are read. The
	// environment of this process is not httpd's and is not looked at.
	Env map[string]string
	// Modules are <IfModule> names compiled into httpd, beside those that Debian
	// compiles in (core, so, http, log_config, logio, version, unixd, watchdog).
	// Every other module counts as loaded once its LoadModule was read.
	Modules []string
	// Version is httpd's, for <IfVersion> and syslog; "" is DefaultVersion.
	Version string
}

// DefaultVersion is the httpd assumed where Options name none.
const DefaultVersion = "2.4.71"

// Bounds on what one configuration may hold. httpd's own are maxIncludeDepth (its
// AP_MAX_INCLUDE_DEPTH) and lines of 16 MiB; nobody's configuration comes near.
const (
	maxIncludeDepth = 128
	maxFiles        = 20_000
	maxFileBytes    = 16 << 20
	maxLineBytes    = 1 << 20
	maxTotalBytes   = 256 << 20 // of lines, variables and macros put in
	lineCostBytes   = 64        // that a line counts beside its own: many short ones cost time too
	maxLogs         = 50_000
	maxVirtualHosts = 50_000
	maxWarnings     = 1_000
)

// Read reads the configuration at path and everything it includes. Its errors say
// "file:line: …" where httpd would refuse to start as well, or where a file cannot
// be read or a bound is passed; then no log is listed, because a list with a hole
// would look complete. Read keeps no state and may be called concurrently.
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
	return &Config{Logs: logs, Warnings: r.warnings, Looked: slices.Sorted(maps.Keys(r.looked))}, nil
}
