package httpdconf

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
)

// The lines of Debian's envvars, and of the official containers' edition of it,
// that can be read without a shell: [export] NAME=value, and : ${NAME:=value}.
var (
	assignment = regexp.MustCompile(`^(export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)
	fallback   = regexp.MustCompile(`^:\s+"?\$\{([A-Za-z_][A-Za-z0-9_]*):=([^}]*)\}"?$`)
)

// readEnvvars reads the file "envvars" in dir, if there is one, and returns the environment that it
// gives httpd; given takes precedence over the file.
func readEnvvars(dir string, given map[string]string) (map[string]string, error) {
	text, err := readBounded(filepath.Join(dir, "envvars"))
	if errors.Is(err, fs.ErrNotExist) {
		return given, nil
	}
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	// The only value that Debian's file computes: configuration in
	// /etc/apache2-NAME is a second instance, and its directories end in -NAME.
	if _, instance, ok := strings.Cut(filepath.Base(dir), "apache2-"); ok {
		env["SUFFIX"] = "-" + instance
	}
	readAssignments(string(text), env, given)
	maps.Copy(env, given)
	return env, nil
}

// readAssignments adds the lines' assignments to env. A value that needs a shell is left out: a log
// path with it is reported as unread.
func readAssignments(text string, env, given map[string]string) {
	inBlock := 0 // in if … fi and the like, which needs a shell
	for line := range strings.Lines(text) {
		line = strings.Trim(line, spaces)
		switch first, _, _ := strings.Cut(line, " "); first {
		case "if", "case", "for", "while":
			inBlock++
		case "fi", "esac", "done":
			inBlock--
		}
		if inBlock > 0 {
			continue
		}
		name, value := "", ""
		if m := fallback.FindStringSubmatch(line); m != nil {
			name, value = m[1], `"`+m[2]+`"`
			if _, set := given[name]; set || env[name] != "" {
				continue
			}
		} else if m := assignment.FindStringSubmatch(line); m != nil {
			name, value = m[2], m[3]
		} else {
			continue
		}
		if value, ok := shellValue(value, env); ok {
			env[name] = value
		}
	}
}

// shellValue parses the value of an assignment: quotes, backslashes, $NAME and ${NAME}. It returns
// false for a value that needs a shell ($(…), `…`, ${NAME%…}).
func shellValue(s string, env map[string]string) (string, bool) {
	var b strings.Builder
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != '\'':
			b.WriteByte(c)
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '$':
			name, length := shellName(s[i+1:])
			if length == 0 {
				return "", false
			}
			b.WriteString(env[name])
			i += length
		case c == '`':
			return "", false
		case quote == 0 && strings.IndexByte(spaces+";&|#", c) >= 0:
			return b.String(), true // what follows is another command or a comment
		default:
			b.WriteByte(c)
		}
		if b.Len() > maxLineBytes {
			return "", false
		}
	}
	return b.String(), quote == 0
}

// shellName parses NAME or {NAME}, and returns its length; 0 is neither.
func shellName(s string) (name string, length int) {
	inner, braced := strings.CutPrefix(s, "{")
	n := 0
	for n < len(inner) && (inner[n] == '_' || inner[n]|0x20 >= 'a' && inner[n]|0x20 <= 'z' || n > 0 && inner[n] >= '0' && inner[n] <= '9') {
		n++
	}
	if !braced || n == 0 {
		return inner[:n], n
	}
	if n == len(inner) || inner[n] != '}' {
		return "", 0
	}
	return inner[:n], n + 2
}
