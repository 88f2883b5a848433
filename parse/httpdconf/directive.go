package httpdconf

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// understood are the directives, in lower case, that affect a log; an unknown ${NAME} in them is a
// warning. Others are skipped.
var understood = map[string]bool{
	"serverroot": true, "include": true, "includeoptional": true, "define": true, "undefine": true,
	"loadmodule": true, "use": true, "undefmacro": true, "servername": true,
	"logformat": true, "customlog": true, "globallog": true, "transferlog": true,
	"<virtualhost": true, "<ifdefine": true, "<ifmodule": true, "<iffile": true, "<ifversion": true, "<macro": true,
}

func (r *reader) directive(in *input, name, args string, at place) error {
	if !understood[name] {
		return nil
	}
	err := r.obey(in, name, words(args), at)
	if err == nil || errors.As(err, new(*placedError)) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (r *reader) obey(in *input, name string, args []string, at place) error {
	switch name {
	case "include", "includeoptional":
		return r.include(args, name == "includeoptional")
	case "use":
		return r.use(in, args, at)
	case "undefmacro":
		return r.undefMacro(args)
	case "define":
		return r.vars.define(args)
	case "undefine":
		return r.vars.undefine(args)
	case "loadmodule":
		return r.loadModule(args)
	case "serverroot":
		return r.setServerRoot(args)
	case "servername":
		return r.setServerName(args)
	case "logformat":
		return r.logFormat(args)
	}
	return r.addLog(name, args, at)
}

func (r *reader) setServerRoot(args []string) error {
	if err := r.globalOnly(); err != nil {
		return err
	}
	if len(args) != 1 || !filepath.IsAbs(args[0]) {
		return errors.New("takes one absolute directory")
	}
	if r.rootFixed {
		return nil
	}
	if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a directory on this host; if this is a copy of a configuration, give its directory as the server root", args[0])
	}
	r.root = filepath.Clean(args[0])
	return nil
}

func (r *reader) setServerName(args []string) error {
	if err := r.serverLevel(); err != nil {
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
	r.current.name = name
	return nil
}

func (r *reader) openVirtualHost(addresses string) error {
	if err := r.globalOnly(); err != nil {
		return err
	}
	if addresses == "" {
		return errors.New("<VirtualHost> needs an address, as in <VirtualHost *:80>")
	}
	if len(r.virtual) >= maxVirtualHosts {
		return fmt.Errorf("more than %d virtual hosts", maxVirtualHosts)
	}
	r.current = newServer(strings.Join(words(addresses), " "))
	r.virtual = append(r.virtual, r.current)
	return nil
}
