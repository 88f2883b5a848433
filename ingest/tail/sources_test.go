package tail

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// changingWorld has one fixed source, a.log, and others that change.
func changingWorld(t *testing.T, names ...string) (*world, *SourceSet) {
	w := newWorld(t, "a.log")
	w.changing = new(SourceSet)
	w.changing.Set(w.named(names...))
	return w, w.changing
}

func (w *world) named(names ...string) (sources []Source) {
	for _, name := range names {
		sources = append(sources, Source{Pattern: w.path(name), Format: "common"})
	}
	return sources
}

// A new source is followed from its log's start, a removed one is read on but matches nothing new,
// and no line is read twice.
func TestSourcesChangeWhileLogsAreFollowed(t *testing.T) {
	w, set := changingWorld(t)
	a, b, c := lines("a", 3), lines("b", 3), lines("c", 3)
	w.append("a.log", a)
	w.append("b.log", b)
	w.append("c.log", c)
	w.start()
	w.turns(2)
	w.want(a)
	set.Set(w.named("b.log"))
	w.turns(2)
	w.want(a, b)
	set.Set(w.named("c.log"))
	w.turns(2)
	more := lines("more", 2)
	w.append("b.log", more)
	w.append("c.log", more)
	w.turns(2)
	w.want(a, b+more, c+more)
	w.rename("b.log", "b.log.1")
	w.append("b.log", "not followed\n")
	w.append("b.log.1", "late\n")
	w.turns(3)
	w.want(a, b+more+"late\n", c+more)
	set.Set(append(w.named("b.log"), Source{Pattern: w.path("[")}))
	w.turns(2)
	w.want(a, b+more+"late\n", c+more, "not followed\n")
	if said := w.log.String(); strings.Count(said, "source is wrong, not followed") != 1 {
		t.Error(said)
	}
}

// A changed format applies to what is read from then on; so do changed labels, also if another
// source matches the log.
func TestAChangedFormatAppliesToTheStream(t *testing.T) {
	w, set := changingWorld(t, "b.log")
	w.append("b.log", lines("b", 3))
	w.start()
	w.turns(2)
	stream := w.checkpoint.Streams()[0]
	if stream.Format != "common" {
		t.Fatal(stream.Format)
	}
	set.Set([]Source{{Pattern: w.path("b.log"), Format: "combined", Zone: "Europe/Berlin", Labels: map[string]string{"site": "shop"}}})
	w.turns(2)
	if stream.Format != "combined" || stream.Zone != "Europe/Berlin" || stream.Labels["site"] != "shop" {
		t.Errorf("%+v", stream)
	}
	set.Set([]Source{{Pattern: w.path("b*.log"), Format: "vhost_combined"}})
	w.append("b.log", lines("more", 1))
	w.turns(2)
	if stream.Format != "vhost_combined" || len(w.checkpoint.Streams()) != 1 {
		t.Errorf("%+v", stream)
	}
	set.Set([]Source{{Pattern: w.path("b*.log"), Format: "auto"}})
	w.turns(2)
	if stream.Format != "vhost_combined" {
		t.Errorf("%+v", stream)
	}
}

const commonLine = "192.0.2.1 - - [28/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 17\n"

// An access log that matches no source is reported once it grows; an error log, a rotation's copy
// and excluded files are not.
func TestAnAccessLogWithoutASourceIsReported(t *testing.T) {
	w := newWorld(t, "access.log")
	w.sources[0].Exclude = []string{"private*"}
	grow := func() {
		for _, name := range []string{"access.log", "access.log.1", "access.1.log", "ssl_access.log", "private.log"} {
			w.append(name, commonLine)
		}
		w.append("error.log", "[Sat Nov 28 10:00:00.123456 2026] [core:notice] [pid 1] AH00094: Command line: '/usr/sbin/apache2'\n")
		w.append("other.log.gz", "x")
	}
	w.append("quiet.log", commonLine)
	grow()
	w.start()
	strays := func() string {
		w.turn(statusInterval)
		var names []string
		for _, path := range w.tailer.Status().Strays {
			names = append(names, strings.TrimPrefix(path, w.dir+"/"))
		}
		return strings.Join(names, " ")
	}
	for range 3 {
		w.turn(strayInterval)
		if got := strays(); got != "" {
			t.Errorf("before they grow: %s", got)
		}
	}
	grow()
	w.turn(strayInterval)
	if got := strays(); got != "ssl_access.log" {
		t.Errorf("strays: %q", got)
	}
	s := w.tailer.Status()
	if warnings := s.Warnings(w.clock); !slices.Contains(warnings, w.path("ssl_access.log")+" grows beside logs that are read, and no source names it") {
		t.Errorf("%q", warnings)
	}
	for range 2 * int(strayFor/strayInterval) {
		w.turn(strayInterval)
	}
	if got := strays(); got != "" {
		t.Errorf("long after: %s", got)
	}
	if n := strings.Count(w.log.String(), "access log not named by any source"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// A file that was not readable, or had lines of another kind, when it first grew is examined again.
func TestAStrayIsExaminedAgainWhenItGrows(t *testing.T) {
	odd := "AH00558: could not determine the server's name\n"
	for name, test := range map[string]struct{ first, second, third string }{
		"an odd line at the start": {odd, commonLine, commonLine},
		"an odd line later":        {commonLine[:20], odd, commonLine + commonLine},
		"an incomplete line":       {"", commonLine[:20], commonLine[20:]},
		"many odd lines":           {strings.Repeat(odd, 2*strayBytes/len(odd)), odd, strings.Repeat(commonLine, 2*strayBytes/len(commonLine))},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "access.log")
			w.append("access.log", commonLine)
			w.append("shop.log", test.first)
			w.start()
			defer w.stop()
			for _, text := range []string{"", test.second, test.third} {
				w.append("shop.log", text)
				w.turn(strayInterval)
				w.turn(strayInterval)
			}
			w.turn(statusInterval)
			if got := w.tailer.Status().Strays; len(got) != 1 || got[0] != w.path("shop.log") {
				t.Errorf("strays: %q", got)
			}
		})
	}
	t.Run("an error log", func(t *testing.T) {
		w := newWorld(t, "access.log")
		w.append("access.log", commonLine)
		w.start()
		defer w.stop()
		d := w.tailer.directories.byPath[w.dir]
		examined := 0
		last := time.Time{}
		for range int(6 * maxStrayPause / strayInterval) {
			w.append("error.log", odd)
			w.turn(strayInterval)
			if s := d.strays["error.log"]; s != nil && s.next != last {
				examined, last = examined+1, s.next
			}
		}
		if got := w.tailer.Status().Strays; len(got) > 0 || examined < 5 || examined > 15 {
			t.Errorf("strays: %q, examined %d times", got, examined)
		}
	})
}

// A source without a file is a warning after a while, if other logs are followed.
func TestASourceWithoutAFileIsAWarning(t *testing.T) {
	w, set := changingWorld(t)
	w.append("a.log", lines("a", 1))
	set.Set([]Source{{Pattern: w.path("b.log"), Format: "common"}, {Pattern: w.path("c.[0-9]"), Format: "common", Optional: true}})
	w.start()
	warnings := func() string {
		w.turn(statusInterval)
		s := w.tailer.Status()
		return strings.Join(s.Warnings(w.clock), "\n")
	}
	if got := warnings(); got != "" {
		t.Error(got)
	}
	w.turn(2 * unmatchedAfter)
	if got := warnings(); !strings.Contains(got, "/b.log: no file matches since") || strings.Contains(got, "c.[") {
		t.Error(got)
	}
	w.append("b.log", lines("b", 1))
	w.turn(strayInterval)
	if got := warnings(); got != "" {
		t.Error(got)
	}
}

// The rotations of a log belong to its source, so that one that was created and renamed between two
// listings is read; another source's log belongs to that source, whatever its name is.
func TestRotationsBelongToTheirLogsSource(t *testing.T) {
	w, set := changingWorld(t)
	logs := func(labels ...string) (sources []Source) {
		for _, name := range labels {
			sources = append(sources, Source{Pattern: w.path(name), Format: "common", Rotations: true, Labels: map[string]string{"of": name}})
		}
		return sources
	}
	set.Set(logs("access.log", "access_log", "access_log.80"))
	want := map[string]string{"access.log": "access.log", "access.log.1": "access.log", "access-20261128.log": "access.log", "access.log-2026112810": "access.log",
		"access_log": "access_log", "access_log.80": "access_log.80", "access_log.81": "access_log", "access_log.80.1": "access_log.80", "other.log": "", "access.log.1.gz": "", "accessory.log": ""}
	for name := range want {
		w.append(name, lines(name, 1))
	}
	w.start()
	w.turns(3)
	for _, s := range w.checkpoint.Streams() {
		name := strings.TrimPrefix(s.Path, w.dir+"/")
		if want[name] == "" || s.Labels["of"] != want[name] {
			t.Errorf("%s is of %q, want %q", name, s.Labels["of"], want[name])
		}
		delete(want, name)
	}
	if len(want) != 3 {
		t.Errorf("not read: %v", want)
	}
	set.Set(logs("access_log", "access_log.80"))
	w.turns(2)
	w.append("access.log.2", lines("late", 1))
	w.turns(2)
	for _, s := range w.checkpoint.Streams() {
		if strings.HasSuffix(s.Path, "access.log.2") {
			t.Error("a removed source still finds new files")
		}
	}
}

// Patterns match files also through symbolic links.
func TestPatternsNameFiles(t *testing.T) {
	dir := inDirs(t, "real/access.log", "real/other.log")
	w := &world{TB: t, dir: dir}
	w.must(os.Symlink(dir+"/real", dir+"/link"))
	w.must(os.Symlink(dir+"/real/access.log", dir+"/direct.log"))
	p, err := NewPatterns([]Source{{Pattern: dir + "/real/acc*.log", Exclude: []string{"accx*"}}, {Pattern: "re:" + dir + `/a\d+`}, {Pattern: dir + "/tree/**/x.log"}})
	w.must(err)
	for path, want := range map[string]bool{"real/access.log": true, "link/access.log": true, "direct.log": true, "real/accx.log": false, "real/other.log": false, "a12": true, "b12": false,
		"tree/x.log": true, "tree/a/b/x.log": true, "real/access.log.gz": false, "access.log": false} {
		if got := p.Name(dir + "/" + path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// If the last log is removed while the server writes elsewhere, every source that needs a file is
// named, first as a warning and then as an error, until a log is followed again.
func TestSourcesWithoutAnyFileAnyMoreAreAnError(t *testing.T) {
	w, set := changingWorld(t)
	w.append("a.log", lines("a", 1))
	set.Set([]Source{{Pattern: w.path("c.[0-9]"), Format: "common", Optional: true}})
	w.start()
	defer w.stop()
	w.turn(statusInterval)
	w.remove("a.log")
	states := func(d time.Duration) (files int, unmatched []Failure, warnings, problems []string) {
		w.turn(d)
		s := w.tailer.Status()
		return s.Files, s.Unmatched, s.Warnings(w.clock), s.Problems(w.clock)
	}
	since := time.Time{}
	for range 3 * int(orphanQuiet/statusInterval) {
		if files, unmatched, warnings, problems := states(statusInterval); files > 0 {
			if len(unmatched)+len(warnings)+len(problems) > 0 {
				t.Fatal(unmatched, warnings, problems)
			}
			continue
		}
		since = w.clock
		break
	}
	files, unmatched, warnings, problems := states(2 * unmatchedAfter)
	if files != 0 || len(unmatched) != 1 || unmatched[0].Path != w.path("a.log") || !unmatched[0].Since.Equal(since) || len(problems) != 0 || len(warnings) != 1 {
		t.Errorf("soon: %d files, %v, %q, %q", files, unmatched, warnings, problems)
	}
	if _, _, warnings, problems = states(2 * nothingAfter); len(warnings) != 0 || len(problems) != 1 || !strings.Contains(problems[0], "/a.log: no file matches") {
		t.Errorf("later: %q, %q", warnings, problems)
	}
	w.append("a.log", lines("b", 1))
	if _, unmatched, warnings, problems = states(2 * statusInterval); len(unmatched)+len(warnings)+len(problems) > 0 {
		t.Errorf("with a log again: %v, %q, %q", unmatched, warnings, problems)
	}
}
