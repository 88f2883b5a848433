package httpdconf

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// resolver sets the paths and formats of the logs when the whole configuration was read.
type resolver struct {
	root     *serverRoot
	servers  *servers
	warnings *warnings
}

// resolve sets the path and format of every log. httpd resolves nicknames when it opens the logs,
// so one that is defined after its use counts, and a redefinition counts for every use.
func (e *resolver) resolve() []Log {
	for _, d := range e.servers.logs {
		d.Format, d.Nickname = e.format(d, d.server)
		if d.Nickname == "" && d.format != "" && !strings.Contains(d.format, "%") {
			e.warnings.add(place{d.File, d.Line}, "no LogFormat is called %q, so every line will be that word; define it at the top level or in the same virtual host", d.format)
		}
		if d.Path != "" {
			d.Path = e.root.under(d.Path)
		}
	}
	e.inherit()
	e.warnMixed()
	logs := make([]Log, len(e.servers.logs))
	for i, d := range e.servers.logs {
		d.VirtualHost = d.server.label()
		e.judge(d)
		logs[i] = d.Log
	}
	return logs
}

// format returns the format of d for requests of s, and its nickname.
func (e *resolver) format(d *directive, s *server) (format, nickname string) {
	if d.format == "" {
		return e.standard(s), ""
	}
	if format, ok := e.lookup(s, d.format); ok {
		return format, d.format
	}
	return d.format, ""
}

// standard is TransferLog's format in s.
func (e *resolver) standard(s *server) string {
	standard := s.standard
	if standard == "" {
		standard = e.servers.main.standard
	}
	if standard == "" {
		return commonLogFormat
	}
	if format, ok := e.lookup(s, standard); ok {
		return format
	}
	return standard
}

// lookup finds a nickname: a virtual host's own first, then the main server's.
func (e *resolver) lookup(s *server, nickname string) (string, bool) {
	nickname = strings.ToLower(nickname)
	if format, ok := s.formats[nickname]; ok {
		return format, true
	}
	format, ok := e.servers.main.formats[nickname]
	return format, ok
}

// inherit assigns the main server's logs to the virtual hosts without one, and its global ones to
// all.
func (e *resolver) inherit() {
	var without []*server
	var labels, all []string
	for _, s := range e.servers.virtual {
		all = append(all, s.label())
		if len(s.logs) == 0 {
			without = append(without, s)
			labels = append(labels, s.label())
		}
	}
	e.relook(without)
	for _, d := range e.servers.main.logs {
		d.InheritedBy = labels
		if d.global {
			d.InheritedBy = all
		}
		if d.format != "" {
			continue
		}
		for _, s := range without {
			if e.standard(s) != d.Format {
				e.warnings.add(place{d.File, d.Line}, "requests of %s are written here too, in that virtual host's own LogFormat; give it its own log", s.label())
			}
		}
	}
}

// relook reproduces a side effect of httpd: when it opens the logs that a virtual host inherits, it
// resolves their nicknames again, the host's own first, and the result replaces the format for all
// hosts. Hosts are opened last to first, so the first in the file wins.
func (e *resolver) relook(without []*server) {
	byNickname := map[string][]*directive{}
	for _, d := range e.servers.main.logs {
		if d.format != "" {
			key := strings.ToLower(d.format)
			byNickname[key] = append(byNickname[key], d)
		}
	}
	for _, s := range slices.Backward(without) {
		for _, nickname := range slices.Sorted(maps.Keys(s.formats)) {
			format := s.formats[nickname]
			for _, d := range byNickname[nickname] {
				if d.Format == format {
					continue
				}
				d.Format, d.Nickname = format, d.format
				e.warnings.add(place{d.File, d.Line}, "%s has no log of its own but a LogFormat %s of its own, which httpd then uses here for every host", s.label(), d.format)
			}
		}
	}
}

// warnMixed finds files into which two formats are written.
func (e *resolver) warnMixed() {
	first := map[string]*directive{}
	for _, d := range e.servers.logs {
		if d.Path == "" {
			continue
		}
		f, ok := first[d.Path]
		if !ok {
			first[d.Path] = d
		} else if f.Format != d.Format {
			e.warnings.add(place{d.File, d.Line}, "%s is also written by %s:%d, in another format; give each format a file of its own", d.Path, f.File, f.Line)
		}
	}
}

// judge sets Unread, and the files of a pipe.
func (e *resolver) judge(d *directive) {
	switch {
	case !strings.Contains(d.Format, "%"):
		d.Unread = fmt.Sprintf("every line of it is %q, for its format has no directive", d.Format)
	case undefinedVariable(d.Pipe + d.Path):
		d.Unread = d.Pipe + d.Path + " has a variable that is not defined here; give httpd's value of it (--define NAME=VALUE)"
	case d.Pipe != "":
		var err error
		if d.Rotated, err = (pipe{d.Pipe, d.shell}).globs(e.root.underGlob); err != nil {
			d.Unread = err.Error()
		}
	case d.Provider != "":
		d.Unread = d.Provider + " is a log of the system, not a file"
	case isProvider(filepath.Base(d.Path)):
		d.Unread = d.Path + " is where httpd 2.4 writes what was meant for syslog; write \"|/usr/bin/logger …\" for syslog, or a file"
	default:
		d.Unread = notALogFile(d.Path, !e.root.fixed)
	}
}
