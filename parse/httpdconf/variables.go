package httpdconf

import (
	"errors"
	"fmt"
	"strings"
)

// variables are set by Define and -D; the environment is searched after them.
type variables struct {
	defined map[string]bool   // <IfDefine NAME>
	values  map[string]string // ${NAME}; a Define without a value has none
	env     map[string]string
}

func newVariables(defines, env map[string]string) variables {
	v := variables{defined: map[string]bool{}, values: map[string]string{}, env: env}
	for name, value := range defines {
		v.defined[name] = true
		if value != "" {
			v.values[name] = value
		}
	}
	return v
}

func (v variables) isDefined(name string) bool { return v.defined[name] }

func (v variables) define(args []string) error {
	if len(args) < 1 || len(args) > 2 || args[0] == "" {
		return errors.New("takes a name and at most one value; quote a value that has spaces")
	}
	if strings.Contains(args[0], ":") {
		return fmt.Errorf("variable name %q holds a ':'", args[0])
	}
	v.defined[args[0]] = true
	if len(args) == 2 && args[1] != "" {
		v.values[args[0]] = args[1]
	}
	return nil
}

func (v variables) undefine(args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("takes one name")
	}
	delete(v.defined, args[0])
	delete(v.values, args[0])
	return nil
}

// expand replaces the ${NAME}s of a line, once, without expanding the result. An unknown one is
// kept and reported, except names with ':', which belong to RewriteMap. ${NAME?=default} is for
// httpd's trunk.
func (v variables) expand(line string) (out string, missing []string, err error) {
	if !strings.Contains(line, "${") {
		return line, nil, nil
	}
	var b strings.Builder
	for {
		start := strings.Index(line, "${")
		if start < 0 {
			break
		}
		length := strings.IndexByte(line[start:], '}')
		if length < 0 {
			break
		}
		b.WriteString(line[:start])
		whole := line[start : start+length+1]
		line = line[start+length+1:]
		name, fallback, hasFallback := strings.Cut(whole[2:length], "?=")
		value, ok := v.lookup(name)
		switch {
		case ok:
			b.WriteString(value)
		case hasFallback:
			b.WriteString(fallback)
		default:
			b.WriteString(whole)
			if !strings.Contains(name, ":") {
				missing = append(missing, name)
			}
		}
		if b.Len() > maxLineBytes {
			return "", nil, fmt.Errorf("more than %d bytes once its variables are put in; does a Define repeat itself?", maxLineBytes)
		}
	}
	b.WriteString(line)
	return b.String(), missing, nil
}

func (v variables) lookup(name string) (string, bool) {
	if value, ok := v.values[name]; ok {
		return value, true
	}
	value, ok := v.env[name]
	return value, ok
}
