package rules

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logAttributes are the allowed keys of log attributes, so that one search finds all messages about
// a path, host or stream.
var logAttributes = strings.Fields(`
	err reason hint operation attempts count since after retry_in text
	host peer collector collectors address table listener sources source tls token cpu_percent
	path copy original inode offset range format labels archived_by fields content compression
	stream new_stream segment segments key level old limit limit_per_peer rejected
	bytes lines batches files days hosts spool_bytes unread_bytes deleted_in margin read_bytes unread_bytes_at_least
	lines_per_second before open_logs directory file`)

// messagePattern matches a phrase that begins with its subject, without a period and without
// variable parts.
var messagePattern = regexp.MustCompile(`^[A-Za-z][^%\n]*[^.!: \n]$`)

// messageStart are words that do not begin a subject.
var messageStart = regexp.MustCompile(`^(a|an|the|it|this|these|there|not|nobody|no one) `)

// logMethods are slog's methods, and the index of the message in their arguments.
var logMethods = map[string]int{
	"Debug": 0, "Info": 0, "Warn": 0, "Error": 0,
	"DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "Log": 2,
}

// logCall returns the arguments of a call of a logger from the message on.
func logCall(n ast.Node) (args []ast.Expr, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return nil, false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil, false
	}
	at, ok := logMethods[f.Sel.Name]
	if !ok || len(call.Args) <= at || !isLogger(f.X) {
		return nil, false
	}
	return call.Args[at:], true
}

// isLogger reports whether an expression has the name of a logger: a.log, cfg.Log, notices.
func isLogger(x ast.Expr) bool {
	name := ""
	switch x := x.(type) {
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	}
	return slices.Contains([]string{"log", "Log", "logger", "Logger", "notices", "slog"}, name)
}

func constantText(x ast.Expr) (string, bool) {
	lit, ok := x.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

func TestLogMessagesHaveOneStyle(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			args, ok := logCall(n)
			if !ok {
				return true
			}
			line := s.lineOf(n.Pos())
			text, ok := constantText(args[0])
			if !ok {
				t.Errorf("%s:%d: the message is not a constant: put what varies into attributes", s.path, line)
			} else if !messagePattern.MatchString(text) || messageStart.MatchString(text) || startsUpper(text) {
				t.Errorf("%s:%d: message %q: begin with the subject in lower case, end without a period", s.path, line, text)
			}
			for i := 1; i < len(args); i += 2 {
				if key, ok := constantText(args[i]); !ok {
					t.Errorf("%s:%d: an attribute's key is not a constant", s.path, line)
				} else if !slices.Contains(logAttributes, key) {
					t.Errorf("%s:%d: attribute %q is not in the list of test/rules/messages_test.go", s.path, line, key)
				}
			}
			return true
		})
	}
}

// startsUpper reports whether a message begins with an upper case letter that no name
// requires: names have a second one (SIGHUP, HBase, ZooKeeper) or are listed.
func startsUpper(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	if word == "Flume" || word == "Parquet" {
		return false
	}
	return word[0] >= 'A' && word[0] <= 'Z' && strings.ToLower(word[1:]) == word[1:]
}

// TestMessageStyle checks the style rules on good and bad messages.
func TestMessageStyle(t *testing.T) {
	for text, want := range map[string]bool{
		"table write failed, retrying":     true,
		"SIGHUP ignored":                   true,
		"HBase call recovered":             true,
		"Parquet file store recovered":     true,
		"it works again":                   false,
		"the status cannot be written":     false,
		"a torn segment was cut":           false,
		"Connected":                        false,
		"connected.":                       false,
		"read %s":                          false,
		"governor: ":                       false,
		"not all that was read could be s": false,
	} {
		if got := messagePattern.MatchString(text) && !messageStart.MatchString(text) && !startsUpper(text); got != want {
			t.Errorf("%q: accepted is %v, want %v", text, got, want)
		}
	}
}
