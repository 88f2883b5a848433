package httpdconf

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// conditions are the sections that httpd evaluates while it reads its configuration, by lower-case
// name. <If>, <ElseIf> and <Else> are not among them: they are evaluated for each request.
var conditions = map[string]func(r *reader, args string, at place) (bool, error){
	"ifdefine": negatable(func(r *reader, name string, _ place) bool { return r.vars.isDefined(name) }),
	"ifmodule": negatable(func(r *reader, name string, _ place) bool { return r.modules[name] }),
	"iffile": negatable(func(r *reader, path string, _ place) bool {
		if len(r.looked) < maxFiles {
			r.looked[r.root.under(path)] = true
		}
		_, err := os.Stat(r.root.under(path))
		return err == nil // httpd, too, treats a file that it may not read as missing
	}),
	// Which directives exist depends on the modules' code, which is not available here.
	"ifdirective": negatable(assumed),
	"ifsection":   negatable(assumed),
	"ifversion":   func(r *reader, args string, _ place) (bool, error) { return compareVersion(r.version, args) },
}

func assumed(r *reader, name string, at place) bool {
	r.warnings.add(at, "whether httpd knows %s depends on its build; it is assumed to", name)
	return true
}

// negatable parses "[!]word" and tests the word.
func negatable(test func(*reader, string, place) bool) func(*reader, string, place) (bool, error) {
	return func(r *reader, args string, at place) (bool, error) {
		args, negated := strings.CutPrefix(args, "!")
		w, _ := word(args)
		if w == "" {
			return false, errors.New("the section needs an argument")
		}
		return test(r, w, at) != negated, nil
	}
}

// compiledIn returns the names under which <IfModule> knows the modules that Debian compiles in.
// Red Hat and httpd's own build load some of them as files instead; their presence matters only in
// <IfModule logio_module> around a LogFormat that would be useless without the module, so one list
// is enough.
func compiledIn(more []string) map[string]bool {
	known := map[string]bool{"core.c": true, "core_module": true, "http_core.c": true, "http_module": true}
	for _, m := range []string{"so", "log_config", "logio", "version", "unixd", "watchdog"} {
		known["mod_"+m+".c"] = true
		known[m+"_module"] = true
	}
	for _, m := range more {
		known[m] = true
	}
	return known
}

// loadModule records the names of a module: its identifier and the conventional name of its source
// file, which httpd compiles in. MPMs' sources are named after the MPM.
func (r *reader) loadModule(args []string) error {
	if len(args) != 2 {
		return errors.New("takes a module's name and its file")
	}
	r.modules[args[0]] = true
	name := strings.TrimSuffix(args[0], "_module")
	r.modules["mod_"+name+".c"] = true
	if mpm, ok := strings.CutPrefix(name, "mpm_"); ok {
		r.modules[mpm+".c"] = true
	}
	file := filepath.Base(args[1])
	r.modules[strings.TrimSuffix(file, filepath.Ext(file))+".c"] = true
	return nil
}

// compareVersion evaluates <IfVersion [!]operator version>: = == > >= < <= with up to three
// numbers, = with /regex/, ~ with regex.
func compareVersion(have, args string) (bool, error) {
	w := words(args)
	if len(w) == 1 {
		w = []string{"=", w[0]}
	}
	if len(w) != 2 || w[0] == "" {
		return false, errors.New("takes an operator and a version, as in <IfVersion >= 2.4>")
	}
	op, negated := strings.CutPrefix(w[0], "!")
	want := w[1]
	if inner, ok := strings.CutPrefix(want, "/"); ok && (op == "=" || op == "==") {
		if want, ok = strings.CutSuffix(inner, "/"); !ok {
			return false, errors.New("the regular expression has no closing /")
		}
		op = "~"
	}
	if op == "~" {
		re, err := regexp.Compile(want)
		if err != nil {
			return false, err
		}
		return re.MatchString(have) != negated, nil
	}
	holds, ok := map[string]func(int) bool{
		"=":  func(c int) bool { return c == 0 },
		"==": func(c int) bool { return c == 0 },
		">":  func(c int) bool { return c > 0 },
		">=": func(c int) bool { return c >= 0 },
		"<":  func(c int) bool { return c < 0 },
		"<=": func(c int) bool { return c <= 0 },
	}[op]
	if !ok {
		return false, fmt.Errorf("unknown operator %q; use =, >, >=, <, <= or ~", w[0])
	}
	a, err := versionNumbers(have)
	if err != nil {
		return false, err
	}
	b, err := versionNumbers(want)
	if err != nil {
		return false, err
	}
	order := cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]))
	return holds(order) != negated, nil
}

func versionNumbers(s string) (n [3]int, err error) {
	parts := strings.Split(s, ".")
	if len(parts) > 3 {
		return n, fmt.Errorf("version %q; write major[.minor[.patch]]", s)
	}
	for i, p := range parts {
		if n[i], err = strconv.Atoi(p); err != nil || n[i] < 0 {
			return n, fmt.Errorf("version %q; write major[.minor[.patch]]", s)
		}
	}
	return n, nil
}
