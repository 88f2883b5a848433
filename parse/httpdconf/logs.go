package httpdconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// commonLogFormat is mod_log_config's DEFAULT_LOG_FORMAT, which every server also has under the
// nickname CLF.
const commonLogFormat = `%h %l %u %t "%r" %>s %b`

// server is the main server or a virtual host.
type server struct {
	name      string // ServerName
	addresses string // of <VirtualHost>; "" is the main server
	formats   map[string]string
	// standard is the LogFormat without a nickname, for TransferLog; "" is none. It may be a
	// nickname.
	standard string
	logs     []*directive
}

func newServer(addresses string) *server {
	return &server{addresses: addresses, formats: map[string]string{"clf": commonLogFormat}}
}

func (s *server) label() string {
	if s.addresses == "" {
		return ""
	}
	if s.name != "" {
		return s.name
	}
	return s.addresses
}

// directive is a CustomLog, GlobalLog or TransferLog whose nickname is not resolved yet.
type directive struct {
	Log
	server *server
	format string // format or nickname; "" for TransferLog
	global bool
	shell  bool // Pipe is run by a shell
}

func (r *reader) logFormat(args []string) error {
	if err := r.serverLevel(); err != nil {
		return err
	}
	if len(args) < 1 || len(args) > 2 || args[0] == "" {
		return errors.New("takes a format and at most one nickname; quote the format")
	}
	if len(args) == 2 && args[1] != "" {
		r.current.formats[strings.ToLower(args[1])] = args[0] // nicknames are case-insensitive
	} else {
		r.current.standard = args[0]
	}
	return nil
}

func (r *reader) addLog(name string, args []string, at place) error {
	if err := r.serverLevel(); err != nil {
		return err
	}
	d := &directive{server: r.current, global: name == "globallog", Log: Log{File: at.file, Line: at.line}}
	if d.global {
		if err := r.globalOnly(); err != nil {
			return err
		}
	}
	if name == "transferlog" {
		if len(args) != 1 || args[0] == "" {
			return errors.New("takes one file or |command; quote a name that has spaces")
		}
	} else if err := d.take(args); err != nil {
		return err
	}
	if len(r.logs) >= maxLogs {
		return fmt.Errorf("more than %d logs", maxLogs)
	}
	if err := r.setTarget(d, args[0], at); err != nil {
		return err
	}
	r.current.logs = append(r.current.logs, d)
	r.logs = append(r.logs, d)
	return nil
}

// take parses what follows CustomLog's file: a format or nickname, a condition.
func (d *directive) take(args []string) error {
	if len(args) < 2 || len(args) > 3 || args[0] == "" || args[1] == "" {
		return errors.New("takes a file, a format or nickname, and at most one condition; quote the format")
	}
	d.format = args[1]
	if len(args) == 2 {
		return nil
	}
	d.Condition = args[2]
	kind, rest, _ := strings.Cut(args[2], "=")
	switch strings.ToLower(kind) {
	case "env":
		rest = strings.TrimPrefix(rest, "!")
	case "expr":
	default:
		return fmt.Errorf("condition %q; write env=NAME, env=!NAME or \"expr=…\"", args[2])
	}
	if rest == "" {
		return fmt.Errorf("condition %q is empty after '='", args[2])
	}
	return nil
}

func (r *reader) setTarget(d *directive, target string, at place) error {
	switch {
	case strings.HasPrefix(target, "|"):
		// "||" is "|" to httpd 2.4; "|$" goes through a shell.
		command := strings.TrimPrefix(target[1:], "|")
		d.Pipe, d.shell = strings.CutPrefix(command, "$")
		if strings.Trim(d.Pipe, spaces) == "" {
			return errors.New("no command follows '|'")
		}
	case isProvider(target) && r.hasProviders():
		d.Provider = target
	default:
		d.Path = target // made absolute at the end: ServerRoot may follow
		if isProvider(target) {
			r.warn(at, "httpd 2.4 writes a file called %q; for syslog write \"|/usr/bin/logger …\"", target)
		}
	}
	return nil
}

// hasProviders reports whether *Log accepts "syslog:…". httpd's trunk does; 2.4.71, as tried,
// creates a file of that name.
func (r *reader) hasProviders() bool {
	trunk, err := compareVersion(r.version, ">= 2.5")
	return err == nil && trunk
}

// resolve sets the path and format of every log. httpd resolves nicknames when it opens the logs,
// so one that is defined after its use counts, and a redefinition counts for every use.
func (r *reader) resolve() []Log {
	for _, d := range r.logs {
		d.Format, d.Nickname = r.format(d, d.server)
		if d.Nickname == "" && d.format != "" && !strings.Contains(d.format, "%") {
			r.warn(place{d.File, d.Line}, "no LogFormat is called %q, so every line will be that word; define it at the top level or in the same virtual host", d.format)
		}
		if d.Path != "" {
			d.Path = r.under(d.Path)
		}
	}
	r.inherit()
	r.warnMixed()
	logs := make([]Log, len(r.logs))
	for i, d := range r.logs {
		d.VirtualHost = d.server.label()
		r.judge(d)
		logs[i] = d.Log
	}
	return logs
}

// format returns the format of d for requests of s, and its nickname.
func (r *reader) format(d *directive, s *server) (format, nickname string) {
	if d.format == "" {
		return r.standard(s), ""
	}
	if format, ok := r.lookup(s, d.format); ok {
		return format, d.format
	}
	return d.format, ""
}

// standard is TransferLog's format in s.
func (r *reader) standard(s *server) string {
	standard := s.standard
	if standard == "" {
		standard = r.main.standard
	}
	if standard == "" {
		return commonLogFormat
	}
	if format, ok := r.lookup(s, standard); ok {
		return format
	}
	return standard
}

// lookup finds a nickname: a virtual host's own first, then the main server's.
func (r *reader) lookup(s *server, nickname string) (string, bool) {
	nickname = strings.ToLower(nickname)
	if format, ok := s.formats[nickname]; ok {
		return format, true
	}
	format, ok := r.main.formats[nickname]
	return format, ok
}

// inherit assigns the main server's logs to the virtual hosts without one, and its global ones to
// all.
func (r *reader) inherit() {
	var without []*server
	var labels, all []string
	for _, s := range r.virtual {
		all = append(all, s.label())
		if len(s.logs) == 0 {
			without = append(without, s)
			labels = append(labels, s.label())
		}
	}
	r.relook(without)
	for _, d := range r.main.logs {
		d.InheritedBy = labels
		if d.global {
			d.InheritedBy = all
		}
		if d.format != "" {
			continue
		}
		for _, s := range without {
			if r.standard(s) != d.Format {
				r.warn(place{d.File, d.Line}, "requests of %s are written here too, in that virtual host's own LogFormat; give it its own log", s.label())
			}
		}
	}
}

// relook reproduces a side effect of httpd: when it opens the logs that a virtual host inherits, it
// resolves their nicknames again, the host's own first, and the result replaces the format for all
// hosts. Hosts are opened last to first, so the first in the file wins.
func (r *reader) relook(without []*server) {
	byNickname := map[string][]*directive{}
	for _, d := range r.main.logs {
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
				r.warn(place{d.File, d.Line}, "%s has no log of its own but a LogFormat %s of its own, which httpd then uses here for every host", s.label(), d.format)
			}
		}
	}
}

// warnMixed finds files into which two formats are written.
func (r *reader) warnMixed() {
	first := map[string]*directive{}
	for _, d := range r.logs {
		if d.Path == "" {
			continue
		}
		f, ok := first[d.Path]
		if !ok {
			first[d.Path] = d
		} else if f.Format != d.Format {
			r.warn(place{d.File, d.Line}, "%s is also written by %s:%d, in another format; give each format a file of its own", d.Path, f.File, f.Line)
		}
	}
}
