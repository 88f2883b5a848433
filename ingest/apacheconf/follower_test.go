package apacheconf

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/tail"
)

// server is a configuration in a directory, and a clock.
type server struct {
	testing.TB
	dir   string
	clock time.Time
	said  strings.Builder
}

func newServer(t testing.TB) *server {
	return &server{TB: t, dir: t.TempDir(), clock: time.Unix(1_800_000_000, 0)}
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// write replaces a file. Its modification time is that of the clock, so that no two versions are
// alike.
func (s *server) write(name, text string) {
	s.Helper()
	path := s.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Chtimes(path, s.clock, s.clock); err != nil {
		s.Fatal(err)
	}
}

func (s *server) follow(named ...tail.Source) *Follower {
	s.Helper()
	f, err := New(Config{Path: s.path("httpd.conf"), Named: named, Like: tail.Source{Zone: "Europe/Berlin", Exclude: []string{"private*", "/usr/bin/logger"}}, Saved: s.path("saved.json"), Log: slog.New(slog.NewTextHandler(&s.said, nil))})
	if err != nil {
		s.Fatal(err)
	}
	s.look(f)
	return f
}

func (s *server) look(f *Follower) {
	s.clock = s.clock.Add(lookInterval)
	f.Look(s.clock)
}

// patternsOf returns the followed patterns below the server's directory, with their formats.
func (s *server) patternsOf(f *Follower) (all []string) {
	for _, x := range f.Sources().Sources() {
		all = append(all, strings.TrimPrefix(x.Pattern, s.dir+"/")+" "+x.Format)
	}
	return all
}

func (s *server) want(f *Follower, want ...string) {
	s.Helper()
	if got := s.patternsOf(f); !slices.Equal(got, want) {
		s.Errorf("followed\n%s\nwant\n%s\nlog:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), s.said.String())
	}
}

// wantReport fails unless the report has exactly these texts, each a part of one.
func (s *server) wantReport(f *Follower, problem string, warnings ...string) {
	s.Helper()
	problems, got := f.Report()
	if text := strings.Join(problems, "\n"); !strings.Contains(text, problem) || (problem == "") != (text == "") {
		s.Errorf("problems %q, want %q", problems, problem)
	}
	if len(got) != len(warnings) {
		s.Errorf("warnings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(warnings, "\n"))
		return
	}
	for i, w := range warnings {
		if !strings.Contains(got[i], w) {
			s.Errorf("warning %q, want %q", got[i], w)
		}
	}
}

const main = "LogFormat \"%h %t \\\"%r\\\" %>s\" short\nCustomLog logs/access.log short\nIncludeOptional sites/*.conf\n"

// The configuration is followed: virtual hosts are added and removed, and formats change.
func TestTheConfigurationIsFollowed(t *testing.T) {
	s := newServer(t)
	s.write("httpd.conf", main)
	f := s.follow()
	const short = `%h %t "%r" %>s`
	s.want(f, "logs/access.log "+short)
	s.wantReport(f, "")
	if x := f.Sources().Sources()[0]; x.Zone != "Europe/Berlin" || len(x.Exclude) != 2 {
		t.Errorf("%+v", x)
	}
	shop := "<VirtualHost *:80>\nServerName shop\nCustomLog logs/shop.log \"%h %D %t\"\n</VirtualHost>\n"
	s.write("sites/shop.conf", shop)
	s.look(f)
	s.want(f, "logs/access.log "+short, "logs/shop.log %h %D %t")
	s.write("sites/shop.conf", strings.ReplaceAll(shop, "%D", "%B"))
	s.look(f)
	s.want(f, "logs/access.log "+short, "logs/shop.log %h %B %t")

	// httpd writes to a log that was removed from the configuration until it is restarted.
	if err := os.Remove(s.path("sites/shop.conf")); err != nil {
		t.Fatal(err)
	}
	s.look(f)
	s.want(f, "logs/access.log "+short, "logs/shop.log %h %B %t")
	if all := f.Sources().Sources(); !all[1].Optional {
		t.Error("a missing file is still reported, its source is not optional")
	}
	s.clock = s.clock.Add(keepFor)
	s.look(f)
	s.want(f, "logs/access.log "+short)
	s.wantReport(f, "")
}

// A configuration that cannot be read changes nothing, also after a restart; the reason is a
// warning, or an error if nothing is followed.
func TestAConfigurationThatCannotBeReadChangesNothing(t *testing.T) {
	for name, spoil := range map[string]func(s *server){
		"a syntax error":      func(s *server) { s.write("httpd.conf", "<VirtualHost *:80>\n") },
		"gone":                func(s *server) { os.Remove(s.path("httpd.conf")) },
		"a loop":              func(s *server) { s.write("httpd.conf", "Include httpd.conf\n") },
		"a line without end":  func(s *server) { s.write("httpd.conf", strings.Repeat("x", 2<<20)) },
		"many includes":       func(s *server) { s.write("httpd.conf", strings.Repeat("Include sites/a.conf\n", 20_001)) },
		"a FIFO":              func(s *server) { os.Remove(s.path("httpd.conf")); unix.Mkfifo(s.path("httpd.conf"), 0o600) },
		"a directory instead": func(s *server) { os.Remove(s.path("httpd.conf")); os.Mkdir(s.path("httpd.conf"), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.write("httpd.conf", main)
			s.write("sites/a.conf", "# nothing\n")
			f := s.follow()
			before := s.patternsOf(f)
			spoil(s)
			s.look(f)
			s.look(f)
			s.want(f, before...)
			s.wantReport(f, "", "the Apache configuration cannot be read since")
			f = s.follow() // another process
			s.want(f, before...)
			s.wantReport(f, "", "the Apache configuration cannot be read since")
			os.Remove(s.path("saved.json"))
			f = s.follow()
			s.want(f)
			s.wantReport(f, "so no log is followed")
			os.RemoveAll(s.path("httpd.conf"))
			s.write("httpd.conf", main+"# repaired\n")
			s.clock = s.clock.Add(time.Hour) // a file that took long to read is not read again soon
			s.look(f)
			s.want(f, before...)
			s.wantReport(f, "")
		})
	}
}

// Pipes become patterns; one that cannot is a warning with its name, unless it was excluded.
func TestPipesBecomePatterns(t *testing.T) {
	s := newServer(t)
	s.write("httpd.conf", strings.Join([]string{
		`CustomLog "|/usr/bin/rotatelogs -l logs/a.%Y%m%d 86400" clf`,
		`CustomLog "||/usr/sbin/cronolog logs/{x}/%A%B.log" clf`,
		`CustomLog "|/usr/bin/logger -t httpd" clf`,
		`CustomLog "|/opt/ship --to somewhere" clf`,
		`CustomLog /dev/null clf`,
		`CustomLog logs/private.log clf`,
		`CustomLog logs/odd.log "%h %{nope"`,
		`CustomLog logs/two.log "%h %D"`,
		`CustomLog logs/two.log "%h %B"`,
		"CustomLog logs/b[1]*.log \"%h %t\"",
	}, "\n"))
	const clf = `%h %l %u %t "%r" %>s %b`
	f := s.follow()
	got := s.patternsOf(f)
	for _, want := range []string{"logs/a.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9] " + clf, `logs/\{x\}/[A-Z]*[A-Z]*.log ` + clf, "logs/odd.log auto", "logs/two.log %h %D", `logs/b\[1\]\*.log %h %t`} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not followed, but %q", want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("%q", got)
	}
	s.wantReport(f, "", `CustomLog |/opt/ship --to somewhere (`+s.path("httpd.conf")+`:4) is not read: the log is piped to the command`,
		"odd.log ("+s.path("httpd.conf")+":7): its LogFormat cannot be read", "is written in another LogFormat than by "+s.path("httpd.conf")+":8")
}

// Named sources are compared, and nothing else is followed.
func TestSourcesNamedByHandAreCompared(t *testing.T) {
	s := newServer(t)
	s.write("httpd.conf", main+"CustomLog logs/new.log short\nCustomLog \"|rotatelogs logs/r 86400\" short\n")
	f := s.follow(tail.Source{Pattern: s.path("logs/acc*.log")})
	s.want(f)
	s.wantReport(f, "", "CustomLog "+s.path("logs/new.log")+" ("+s.path("httpd.conf")+":4) is read by no source")
	s.write("logs/r.0000000001", "")
	s.clock = s.clock.Add(rereadInterval)
	s.look(f)
	s.wantReport(f, "", "logs/new.log", "which writes "+s.path("logs/r.0000000001")+", is read by no source")
	s.write("httpd.conf", main)
	s.look(f)
	s.wantReport(f, "")
	s.write("httpd.conf", "<Broken\n")
	s.look(f)
	s.wantReport(f, "", "the last one stays in use")
}

// The number of warnings is limited.
func TestWarningsAreBounded(t *testing.T) {
	s := newServer(t)
	var text strings.Builder
	for i := range 3 * maxWarnings {
		fmt.Fprintf(&text, "CustomLog \"|/opt/ship %d\" clf\n", i)
	}
	s.write("httpd.conf", text.String())
	f := s.follow()
	_, warnings := f.Report()
	if len(warnings) != maxWarnings+1 || !strings.Contains(warnings[maxWarnings], "and 200 more logs") {
		t.Errorf("%d: %s", len(warnings), warnings[len(warnings)-1])
	}
	s.wantReport(f, "names no log that can be read", warnings...)
}
