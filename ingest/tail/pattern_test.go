package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// inDirs creates empty files and their directories, and returns the directory of all.
func inDirs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var patternFiles = []string{
	"access.log", "error.log", "a[1].log", "access{x}.log", "apache2/access.log", "apache2/old/access.log.1", "apache2/old/deep/er/access.log",
	"httpd/access.log", "httpd/access.txt", "vhosts/shop/logs/access.log", "vhosts/blog/logs/access.log", "vhosts/blog/tmp/access.log", ".hidden/access.log",
}

// patternCases are patterns, and the files in patternFiles that they match.
var patternCases = []struct{ pattern, want string }{
	{"access.log", "access.log"},
	{"*.log", "a[1].log access.log access{x}.log error.log"},
	{"a[1].log", "a[1].log"},
	{"access{x}.log", "access{x}.log"},
	{`a\[1\].log`, "a[1].log"},
	{"**/access.log", ".hidden/access.log access.log apache2/access.log apache2/old/deep/er/access.log httpd/access.log vhosts/blog/logs/access.log vhosts/blog/tmp/access.log vhosts/shop/logs/access.log"},
	{"apache2/**/access.log*", "apache2/access.log apache2/old/access.log.1 apache2/old/deep/er/access.log"},
	{"apache2/**", "apache2/access.log apache2/old/access.log.1 apache2/old/deep/er/access.log"},
	{"vhosts/*/**/logs/*.log", "vhosts/blog/logs/access.log vhosts/shop/logs/access.log"},
	{"**/logs/**/access.log", "vhosts/blog/logs/access.log vhosts/shop/logs/access.log"},
	{"{access,error}.log", "access.log error.log"},
	{"httpd/access.{log,txt}", "httpd/access.log httpd/access.txt"},
	{"{apache2,httpd}/access.log", "apache2/access.log httpd/access.log"},
	{"{apache2/old,vhosts/shop/logs}/access.log*", "apache2/old/access.log.1 vhosts/shop/logs/access.log"},
	{"{apache2,vhosts}/**/*.{log,1}", "apache2/access.log apache2/old/access.log.1 apache2/old/deep/er/access.log vhosts/blog/logs/access.log vhosts/blog/tmp/access.log vhosts/shop/logs/access.log"},
	{"vhosts/[!s]*/logs/*", "vhosts/blog/logs/access.log"},
	{"httpd/access.{log,}", "httpd/access.log"},
	{`re:httpd/access\.(log|txt)`, "httpd/access.log httpd/access.txt"},
}

// A pattern matches the same files in a listing and when they are followed.
func TestPatternsMatchTheSameFilesListedAndFollowed(t *testing.T) {
	dir := inDirs(t, patternFiles...) // not the subtest's: its name would be a pattern
	for _, c := range patternCases {
		t.Run(c.pattern, func(t *testing.T) {
			w := newWorld(t)
			w.dir = dir
			rest, isRegexp := strings.CutPrefix(c.pattern, regexpPrefix)
			pattern := w.dir + "/" + rest
			if isRegexp {
				pattern = regexpPrefix + pattern
			}
			source := Source{Pattern: pattern, Format: "common"}
			relative := func(paths []string) string {
				for i, p := range paths {
					paths[i] = strings.TrimPrefix(p, w.dir+"/")
				}
				slices.Sort(paths)
				return strings.Join(paths, " ")
			}
			paths, err := source.Paths()
			if got := relative(paths); err != nil || got != c.want {
				t.Errorf("the listing has %s, %v\nwant %s", got, err, c.want)
			}
			w.sources = []Source{source}
			w.start()
			var followed []string
			for _, f := range w.tailer.set.files {
				followed = append(followed, f.path())
			}
			w.stop()
			w.must(os.RemoveAll(w.path("state"))) // otherwise the next start finds these logs again
			if got := relative(followed); got != c.want {
				t.Errorf("followed are %s\nwant %s", got, c.want)
			}
		})
	}
}

// A pattern that cannot match anything is rejected with the reason.
func TestAPatternThatCanMatchNothingIsRejected(t *testing.T) {
	dir := inDirs(t, "logs/access.log")
	for pattern, want := range map[string]string{
		dir + "/[a.log":             "syntax error",
		dir + "/{a,b.log":           "syntax error",
		dir + "/a}{.log":            "syntax error",
		dir + `/*.log\`:             "syntax error",
		dir + "/**.log":             "** must stand between slashes",
		dir + "/a**/x.log":          "** must stand between slashes",
		dir + "/***/x.log":          "** must stand between slashes",
		dir + "/{logs/a,b}.log":     "write a pattern for each",
		dir + "/{logs/**,x}/a.log":  "write a pattern for each",
		dir:                         "it is a directory",
		dir + "/":                   "it is a directory",
		dir + "/none/":              "it is a directory",
		dir + "/logs":               "it is a directory",
		"re:" + dir + "/logs":       "it is a directory",
		"re:" + dir + "/(":          "missing closing",
		"re:" + dir + "/(a|b)/x.*":  "the regular expression is for the file name only",
		"re:":                       "it is a directory",
		"":                          "it is a directory",
		"re:" + dir + "/lo.*/x.log": "the regular expression is for the file name only",
	} {
		if err := (Source{Pattern: pattern}).Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

// It is an error if a listing finds no file, with a hint if a directory has the name.
func TestNoFileOfAPatternIsAnErrorInAListing(t *testing.T) {
	dir := inDirs(t, "logs/access.log")
	for pattern, want := range map[string]string{
		dir + "/**/acess*":     "no file has such a name",
		dir + "/{a,b}.log":     "no file has such a name",
		dir + "/none*/x":       "no file has such a name",
		dir + "/lo*":           "only the directory " + dir + "/logs",
		"re:" + dir + "/lo.s":  "only the directory",
		dir + "/**/log{s,}":    "only the directory",
		"re:" + dir + "/x.*":   "no file has such a name",
		dir + "/logs/*/x.log*": "no file has such a name",
	} {
		if _, err := (Source{Pattern: pattern}).Paths(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

// A source without a file is reported in the log and in the status until it has one.
func TestASourceWithoutAFileIsReported(t *testing.T) {
	w := newWorld(t, "*.log", "**/acess*", "one.txt", "packed*")
	w.append("a.log", "line\n")
	w.append("packed.gz", "x")
	w.start()
	defer w.stop()
	w.turn(6 * time.Second)
	status := w.tailer.Status()
	if len(status.Unmatched) != 3 || strings.Contains(fmt.Sprint(status.Unmatched), "*.log") {
		t.Errorf("without a file: %+v", status.Unmatched)
	}
	if n := strings.Count(w.log.String(), "source matches no file"); n != 3 {
		t.Errorf("%d warnings, want 3:\n%s", n, w.log.String())
	}
	later := w.clock.Add(2 * time.Minute)
	status.At = later
	if got := status.Problems(later); len(got) > 0 {
		t.Errorf("problems though a log is followed: %q", got)
	}
	if status.Files = 0; !strings.Contains(fmt.Sprint(status.Problems(later)), "acess*: no file matches") || len(status.Problems(w.clock)) > 0 {
		t.Errorf("problems where no log is followed: %q at once, %q later", status.Problems(w.clock), status.Problems(later))
	}
	w.append("one.txt", "line\n")
	for range 3 {
		w.turn(6 * time.Second)
	}
	if status := w.tailer.Status(); len(status.Unmatched) != 2 || !strings.Contains(w.log.String(), "source matches a file") {
		t.Errorf("with a file: %+v\n%s", status.Unmatched, w.log.String())
	}
}

// all returns everything that was delivered, with its lines sorted.
func (w *world) all() string {
	var all []string
	for _, b := range w.got {
		all = append(all, strings.SplitAfter(string(b), "\n")...)
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// Directories below ** are followed when they are created, moved and removed.
func TestDirectoriesBelowATreeAreFollowedAsTheyCome(t *testing.T) {
	w := newWorld(t, "**/*.log")
	mkdir := func(name string) {
		if err := os.MkdirAll(filepath.Join(w.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mkdir("one")
	w.append("one/a.log", "a1\n")
	w.start()
	defer w.stop()
	mkdir("two/deep/er") // all three between two steps
	w.append("two/deep/er/b.log", "b1\n")
	w.turn(time.Second)
	w.append("two/deep/er/c.log", "c1\n")
	w.turn(time.Second)
	if got := w.all(); got != "a1\nb1\nc1\n" {
		t.Fatalf("new directories: %q", got)
	}
	if err := os.Rename(filepath.Join(w.dir, "two"), filepath.Join(w.dir, "one/moved")); err != nil {
		t.Fatal(err)
	}
	w.turn(time.Second)
	w.append("one/moved/deep/er/b.log", "b2\n")
	w.append("one/moved/deep/er/d.log", "d1\n")
	w.turn(time.Second)
	w.turn(time.Second)
	if got := w.all(); got != "a1\nb1\nb2\nc1\nd1\n" {
		t.Fatalf("a directory was moved: %q", got)
	}
	w.turn(11 * time.Second) // the old names are checked
	w.append("one/moved/deep/er/e.log", "e1\n")
	w.turn(time.Second)
	w.turn(time.Second)
	if got := w.all(); got != "a1\nb1\nb2\nc1\nd1\ne1\n" {
		t.Fatalf("after the old names were checked: %q", got)
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "one")); err != nil {
		t.Fatal(err)
	}
	w.turn(time.Second)
	w.turn(11 * time.Second)
	if s := w.tailer.Status(); len(s.Failing) > 0 {
		t.Errorf("a directory that was removed fails: %+v", s.Failing)
	}
	mkdir("one")
	w.append("one/f.log", "f1\n")
	w.turn(time.Second)
	w.turn(time.Second)
	if got := w.all(); got != "a1\nb1\nb2\nc1\nd1\ne1\nf1\n" {
		t.Errorf("made again: %q", got)
	}
}

// The number of directories below ** is limited, and a link to a parent is not followed.
func TestATreeIsBoundedAndHasNoLoop(t *testing.T) {
	w := newWorld(t, "**/*.log")
	w.append("a.log", "a1\n")
	if err := os.Mkdir(filepath.Join(w.dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(w.dir, "sub", "up")); err != nil {
		t.Fatal(err)
	}
	w.start()
	defer w.stop()
	if len(w.tailer.directories.byPath) > 3 || w.all() != "a1\n" { // including the directory of the state
		t.Errorf("%d directories, %q", len(w.tailer.directories.byPath), w.all())
	}
	m := w.tailer.directories.matchers[0]
	for i := range maxTreeDirs {
		w.tailer.directories.addDirectory(m, fmt.Sprintf("%s/none/%d", w.dir, i))
	}
	if len(w.tailer.directories.byPath) != maxTreeDirs || m.err == nil || strings.Count(w.log.String(), "source has too many directories") != 1 {
		t.Errorf("%d directories, %v\n%s", len(w.tailer.directories.byPath), m.err, w.log.String())
	}
	w.tailer.publish()
	if s := w.tailer.Status(); len(s.Failing) == 0 || !strings.Contains(fmt.Sprint(s.Failing), "below **") {
		t.Errorf("failing: %+v", s.Failing)
	}
}
