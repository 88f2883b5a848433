package httpdconf

import (
	"errors"
	"fmt"
	"net"
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

// servers collects the logs of the main server and the virtual hosts.
type servers struct {
	sections *sections
	warnings *warnings
	version  string // of httpd
	main     *server
	virtual  []*server
	current  *server
	logs     []*directive
}

func (v *servers) logFormat(args []string) error {
	if err := v.sections.serverLevel(); err != nil {
		return err
	}
	if len(args) < 1 || len(args) > 2 || args[0] == "" {
		return errors.New("takes a format and at most one nickname; quote the format")
	}
	if len(args) == 2 && args[1] != "" {
		v.current.formats[strings.ToLower(args[1])] = args[0] // nicknames are case-insensitive
	} else {
		v.current.standard = args[0]
	}
	return nil
}

func (v *servers) addLog(name string, args []string, at place) error {
	if err := v.sections.serverLevel(); err != nil {
		return err
	}
	d := &directive{server: v.current, global: name == "globallog", Log: Log{File: at.file, Line: at.line}}
	if d.global {
		if err := v.sections.globalOnly(); err != nil {
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
	if len(v.logs) >= maxLogs {
		return fmt.Errorf("more than %d logs", maxLogs)
	}
	if err := v.setTarget(d, args[0], at); err != nil {
		return err
	}
	v.current.logs = append(v.current.logs, d)
	v.logs = append(v.logs, d)
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

func (v *servers) setTarget(d *directive, target string, at place) error {
	switch {
	case strings.HasPrefix(target, "|"):
		// "||" is "|" to httpd 2.4; "|$" goes through a shell.
		command := strings.TrimPrefix(target[1:], "|")
		d.Pipe, d.shell = strings.CutPrefix(command, "$")
		if strings.Trim(d.Pipe, spaces) == "" {
			return errors.New("no command follows '|'")
		}
	case isProvider(target) && v.hasProviders():
		d.Provider = target
	default:
		d.Path = target // made absolute at the end: ServerRoot may follow
		if isProvider(target) {
			v.warnings.add(at, "httpd 2.4 writes a file called %q; for syslog write \"|/usr/bin/logger …\"", target)
		}
	}
	return nil
}

// hasProviders reports whether *Log accepts "syslog:…". httpd's trunk does; 2.4.71, as tried,
// creates a file of that name.
func (v *servers) hasProviders() bool {
	trunk, err := compareVersion(v.version, ">= 2.5")
	return err == nil && trunk
}

func (v *servers) setServerName(args []string) error {
	if err := v.sections.serverLevel(); err != nil {
		return err
	}
	if len(args) != 1 || args[0] == "" {
		return errors.New("takes one name")
	}
	name := args[0]
	if _, after, ok := strings.Cut(name, "://"); ok {
		name = after
	}
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	v.current.name = name
	return nil
}

func (v *servers) openVirtualHost(addresses string) error {
	if err := v.sections.globalOnly(); err != nil {
		return err
	}
	if addresses == "" {
		return errors.New("<VirtualHost> needs an address, as in <VirtualHost *:80>")
	}
	if len(v.virtual) >= maxVirtualHosts {
		return fmt.Errorf("more than %d virtual hosts", maxVirtualHosts)
	}
	v.current = newServer(strings.Join(words(addresses), " "))
	v.virtual = append(v.virtual, v.current)
	return nil
}
