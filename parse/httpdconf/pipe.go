package httpdconf

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// rotated gives the globs of the files that a rotatelogs command writes (none for
// another command), from how support/rotatelogs.c names them:
//
//	with '%' in the name   strftime of it
//	-t                     the name as it is
//	-n N                   the name, then name.1 … name.N-1
//	otherwise              name.SECONDS, ten digits
//
// A hard link to the current file (-L) is left out: it is the same file.
func rotated(command string) ([]string, error) {
	argv, err := shellWords(command)
	if err != nil {
		return nil, err
	}
	if len(argv) > 0 && argv[0] == "exec" {
		argv = argv[1:]
	}
	if len(argv) == 0 || filepath.Base(argv[0]) != "rotatelogs" {
		return nil, nil
	}
	flags, rest := rotatelogsFlags(argv[1:])
	if len(rest) < 2 {
		return nil, errors.New("rotatelogs needs a file and a time or size")
	}
	name := rest[0]
	switch {
	case strings.ContainsAny(name, "$`"):
		return nil, fmt.Errorf("%s is computed by a shell; write the path itself", name)
	case !filepath.IsAbs(name):
		return nil, fmt.Errorf("%s is relative to the folder httpd was started in; write an absolute path", name)
	}
	name = filepath.Clean(name)
	switch {
	case strings.Contains(name, "%"):
		return []string{strftimeGlob(name)}, nil
	case flags['t']:
		return []string{escapeGlob(name)}, nil
	case flags['n']:
		return []string{escapeGlob(name), escapeGlob(name) + ".[0-9]*"}, nil
	}
	return []string{escapeGlob(name) + "." + strings.Repeat("[0-9]", 10)}, nil
}

// rotatelogsFlags reads getopt's "lL:p:fDtTvecn:".
func rotatelogsFlags(args []string) (flags map[byte]bool, rest []string) {
	flags = map[byte]bool{}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		group := args[0][1:]
		args = args[1:]
		if group == "-" {
			break
		}
		for i := range len(group) {
			flags[group[i]] = true
			if strings.IndexByte("Lpn", group[i]) < 0 {
				continue
			}
			if i == len(group)-1 && len(args) > 0 {
				args = args[1:] // its value is the next word
			}
			break
		}
	}
	return flags, args
}

// digits are the conversions of strftime that always give that many digits.
var digits = map[byte]int{
	'Y': 4, 'm': 2, 'd': 2, 'H': 2, 'I': 2, 'M': 2, 'S': 2, 'y': 2, 'j': 3,
	'C': 2, 'U': 2, 'W': 2, 'V': 2, 'G': 4, 'g': 2, 'u': 1, 'w': 1,
}

func strftimeGlob(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' || i == len(name)-1 {
			b.WriteString(escapeGlob(name[i : i+1]))
			continue
		}
		i++
		switch c := name[i]; {
		case c == '%':
			b.WriteByte('%')
		case c == 'F':
			b.WriteString(strftimeGlob("%Y-%m-%d"))
		case c == 'T':
			b.WriteString(strftimeGlob("%H:%M:%S"))
		case c == 'R':
			b.WriteString(strftimeGlob("%H:%M"))
		case digits[c] > 0:
			b.WriteString(strings.Repeat("[0-9]", digits[c]))
		default:
			if strings.IndexByte("EO_-0^#", c) >= 0 && i < len(name)-1 {
				i++ // a modifier; the conversion follows
			}
			b.WriteByte('*')
		}
	}
	return b.String()
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(s)
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
