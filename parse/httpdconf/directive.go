package httpdconf

import (
	"errors"
	"fmt"
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
		return r.macros.undefine(args)
	case "define":
		return r.vars.define(args)
	case "undefine":
		return r.vars.undefine(args)
	case "loadmodule":
		return r.loadModule(args)
	case "serverroot":
		if err := r.sections.globalOnly(); err != nil {
			return err
		}
		return r.root.set(args)
	case "servername":
		return r.servers.setServerName(args)
	case "logformat":
		return r.servers.logFormat(args)
	}
	return r.servers.addLog(name, args, at)
}
