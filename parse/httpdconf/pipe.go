package httpdconf

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pipe is a command that httpd writes to: started by httpd ("|", "||") or by a shell ("|$").
type pipe struct {
	command string
	shell   bool
}

// globs returns the globs (path/filepath.Match) of the files that rotatelogs or cronolog writes.
// Relative names are below the ServerRoot, where httpd starts its commands.
func (p pipe) globs(under func(string) string) ([]string, error) {
	argv, err := shellWords(p.command)
	if err != nil {
		return nil, err
	}
	if p.shell {
		argv = firstCommand(argv)
	}
	argv = cutPrefixes(argv)
	unknown := fmt.Errorf("the log is piped to the command %q, whose files are not known; name those that it writes", p.command)
	if len(argv) == 0 {
		return nil, unknown
	}
	var names []string
	switch program := filepath.Base(argv[0]); {
	case program == "rotatelogs":
		names, err = rotatelogs(argv[1:])
	case program == "cronolog":
		names, err = cronolog(argv[1:])
	case isShell(program) && len(argv) > 2 && argv[1] == "-c":
		return pipe{argv[2], true}.globs(under)
	default:
		return nil, unknown
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w", filepath.Base(argv[0]), err)
	}
	for i, name := range names {
		if p.shell && strings.ContainsAny(name, "$`~{") {
			return nil, fmt.Errorf("the log is piped to %s, whose file name a shell computes: %s; name the files that it writes", filepath.Base(argv[0]), name)
		}
		names[i] = under(name)
	}
	return names, nil
}

func isShell(program string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ksh", "zsh"}, program)
}

// firstCommand removes redirections and what follows the first command of a shell's line.
func firstCommand(argv []string) (kept []string) {
	for i := 0; i < len(argv); i++ {
		w := argv[i]
		redirection := strings.TrimLeft(w, "0123456789")
		switch {
		case slices.Contains([]string{"|", "||", "&", "&&", ";", "|&"}, w):
			return kept
		case strings.HasPrefix(redirection, ">") || strings.HasPrefix(redirection, "<"):
			if strings.Trim(redirection, "<>&|") == "" {
				i++ // its file is the next word
			}
		case strings.HasSuffix(w, ";"):
			return append(kept, strings.TrimSuffix(w, ";"))
		default:
			kept = append(kept, w)
		}
	}
	return kept
}

// cutPrefixes removes words before a command that do not change its files.
func cutPrefixes(argv []string) []string {
	for len(argv) > 0 {
		name, _, assignment := strings.Cut(argv[0], "=")
		switch {
		case assignment && !strings.Contains(name, "/"):
		case slices.Contains([]string{"exec", "env", "nohup"}, filepath.Base(argv[0])):
		case filepath.Base(argv[0]) == "nice":
			if len(argv) > 2 && argv[1] == "-n" {
				argv = argv[2:]
			} else if len(argv) > 1 && strings.HasPrefix(argv[1], "-") {
				argv = argv[1:]
			}
		default:
			return argv
		}
		argv = argv[1:]
	}
	return argv
}

// rotatelogs returns the globs of the files that rotatelogs writes, following support/rotatelogs.c:
//
//	with '%' in the name   strftime of it
//	-t                     the name unchanged
//	-n N                   the name, then name.1 … name.N-1
//	otherwise              name.SECONDS, ten digits
//
// A hard link to the current file (-L) is left out, as it is the same file.
func rotatelogs(args []string) ([]string, error) {
	flags, rest := getopt(args, "Lpn")
	if len(rest) < 2 {
		return nil, errors.New("needs a file and a time or size")
	}
	name := rest[0]
	numbered, hasNumber := flags['n']
	switch {
	case strings.Contains(name, "%") && hasNumber:
		return nil, fmt.Errorf("rejects -n with a %% in %s", name)
	case strings.Contains(name, "%"):
		return []string{strftimeGlob(name)}, nil
	case has(flags, 't'):
		return []string{escapeGlob(name)}, nil
	case hasNumber:
		n, err := strconv.Atoi(numbered)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("rejects -n %s", numbered)
		}
		return append([]string{escapeGlob(name)}, numbers(escapeGlob(name)+".", n-1)...), nil
	}
	return []string{escapeGlob(name) + "." + digits(10)}, nil
}

// numbers returns the globs of prefix and a number from 1 to last, with the exact number of digits,
// to exclude dates and compressed copies.
func numbers(prefix string, last int) (globs []string) {
	for length, first := 0, 1; first <= last; length, first = length+1, 10*first {
		lead := "[1-9]"
		switch {
		case last < 2*first:
			lead = "1"
		case last < 10*first-1:
			lead = fmt.Sprintf("[1-%d]", last/first)
		}
		globs = append(globs, prefix+lead+digits(length))
	}
	return globs
}

func has(flags map[byte]string, flag byte) bool {
	_, ok := flags[flag]
	return ok
}

// getopt reads options of one letter up to the first other word; valued are those
// that take a value.
func getopt(args []string, valued string) (flags map[byte]string, rest []string) {
	flags = map[byte]string{}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if args[0] == "--" {
			return flags, args[1:]
		}
		args = cutOptions(flags, args, valued)
	}
	return flags, args
}

// cutOptions takes a word like -vn5 off args, and the next where that is a value.
func cutOptions(flags map[byte]string, args []string, valued string) (rest []string) {
	group, rest := args[0][1:], args[1:]
	for i := range len(group) {
		flags[group[i]] = ""
		if strings.IndexByte(valued, group[i]) < 0 {
			continue
		}
		if flags[group[i]] = group[i+1:]; i == len(group)-1 && len(rest) > 0 {
			flags[group[i]], rest = rest[0], rest[1:]
		}
		break
	}
	return rest
}

// cronologValued are cronolog's long options that take a value.
var cronologValued = []string{"hardlink", "symlink", "prev-symlink", "link", "period", "delay", "debug", "start-time", "time-zone"}

// cronolog returns the glob of the files that cronolog writes: strftime of its template, its only
// word that is not an option. Options may follow it, and long ones may be abbreviated. Its links
// name the same files.
func cronolog(args []string) ([]string, error) {
	var templates []string
	for len(args) > 0 {
		long, isLong := strings.CutPrefix(args[0], "--")
		switch {
		case args[0] == "--":
			templates, args = append(templates, args[1:]...), nil
		case isLong:
			takes := slices.ContainsFunc(cronologValued, func(name string) bool { return strings.HasPrefix(name, long) })
			if args = args[1:]; takes && len(args) > 0 {
				args = args[1:]
			}
		case len(args[0]) > 1 && args[0][0] == '-':
			args = cutOptions(map[byte]string{}, args, "HSPlpdxsz")
		default:
			templates, args = append(templates, args[0]), args[1:]
		}
	}
	if len(templates) != 1 {
		return nil, errors.New("needs one template of a file's name")
	}
	return []string{strftimeGlob(templates[0])}, nil
}

// shellWords splits a command as apr_tokenize_to_argv and a shell both do.
func shellWords(s string) ([]string, error) {
	var argv []string
	var b strings.Builder
	var quote byte
	inWord := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != quote:
			b.WriteByte(c)
		case c == quote && quote != 0:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			inWord = true
		case quote == 0 && strings.IndexByte(spaces, c) >= 0:
			if inWord {
				argv = append(argv, b.String())
			}
			b.Reset()
			inWord = false
		default:
			b.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed in %s", s)
	}
	if inWord {
		argv = append(argv, b.String())
	}
	return argv, nil
}
