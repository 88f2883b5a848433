package archive

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var berlin = time.FixedZone("", 2*3600)

func TestPatternExpandsFlumesEscapes(t *testing.T) {
	event := time.Date(2026, 9, 3, 7, 5, 9, 123456789, berlin)
	evening := time.Date(2005, 3, 13, 23, 0, 0, 0, time.UTC)
	cases := []struct {
		pattern    string
		at         time.Time
		root, want string
		unit       Unit
	}{
		{"/logs/%Y%m%d/%{host}", event, "/logs", "20260903/web01", Day},
		{"/a/b/x-%y/%n/%e/%j", event, "/a/b", "x-26/9/3/246", Day},
		{"/a/%a,%A,%b,%B", event, "/a", "Thu,Thursday,Sep,September", Day},
		{"/a/%D", event, "/a", "09/03/26", Day},
		{"/a/%z", event, "/a", "+0200", Day},
		{"/a/%H.%I.%k.%l.%p", event, "/a", "07.07.7.7.AM", Hour},
		{"/a/%H.%I.%k.%l.%p", evening, "/a", "23.11.23.11.PM", Hour},
		{"/a/%H%M", event, "/a", "0705", Minute},
		{"/a/%H%M%S", event, "/a", "070509", Second},
		{"/a/%c", event, "/a", "Thu Sep 3 07%3A05%3A09 2026", Second},
		{"/a/%s/%t", event, "/a", "1788411909/1788411909000", Second},
		{"/a/100%%/%{label:role}/%{host}/%{host}", event, "/a", "100%/%2E.%2Fetc/web01/web01", Day},
		{"/a/%{label:role}/%{label:team}/x-%{label:no:ne}", event, "/a", "%2E.%2Fetc/%75nknown/x-unknown", Day},
		{"/a//b//%Y/", event, "/a/b", "2026", Day},
		{"/a/b", event, "/a/b", "", Day},
		{"data/%Y", event, "data", "2026", Day},
		{"/%Y", event, "/", "2026", Day},
	}
	labels := map[string]string{"role": "../etc", "team": "unknown", "host": "of no meaning"}
	for _, c := range cases {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := p.Expand(c.at, "web01", labels)
		if err != nil || got != c.want || p.Root() != c.root || p.Unit() != c.unit {
			t.Errorf("%s: root %q, name %q, a %v, %v; want %q, %q, a %v", c.pattern, p.Root(), got, p.Unit(), err, c.root, c.want, c.unit)
		}
		start, end := p.Period(c.at)
		for _, at := range []time.Time{start, end.Add(-1)} {
			if same, err := p.Expand(at, "web01", labels); err != nil || same != got {
				t.Errorf("%s: %q at %v of the same period, %v; want %q", c.pattern, same, at, err, got)
			}
		}
		if start.After(c.at) || !end.After(c.at) {
			t.Errorf("%s: the period %v to %v does not hold %v", c.pattern, start, end, c.at)
		}
	}
}

func TestPeriodsFollowTheLogsOwnZone(t *testing.T) {
	india := time.FixedZone("", 5*3600+1800)
	cases := []struct {
		pattern        string
		at, start, end string
	}{
		{"/a/%d", "2026-09-03T23:59:59+05:30", "2026-09-03T00:00:00+05:30", "2026-09-04T00:00:00+05:30"},
		{"/a/%H", "2026-09-03T23:45:00+05:30", "2026-09-03T23:00:00+05:30", "2026-09-04T00:00:00+05:30"},
		{"/a/%M", "1969-12-31T23:59:59+05:30", "1969-12-31T23:59:00+05:30", "1970-01-01T00:00:00+05:30"},
	}
	for _, c := range cases {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		start, end := p.Period(at.In(india))
		if start.Format(time.RFC3339) != c.start || end.Format(time.RFC3339) != c.end {
			t.Errorf("%s at %s: %v to %v", c.pattern, c.at, start, end)
		}
	}
}

func TestBadPatternsReportWhatToWrite(t *testing.T) {
	for pattern, hint := range map[string]string{
		"":                            "begin with a directory",
		"%Y/%{host}":                  "begin with a directory",
		"/logs/%Q":                    "unknown escape %Q",
		"/logs/%":                     "%% for a percent sign",
		"/logs/%{host":                "closing brace",
		"/logs/%{}":                   "%{label:site} for the label site",
		"/logs/%{label:}":             "%{label:site} for the label site",
		"/logs/%{label:a/b}":          "cannot hold a slash",
		"/logs/%{site}":               "%{label:site} for the label site",
		"/logs/%[localhost]":          "depends on the machine",
		"/logs/%{host}-%{label:site}": "put a slash between them",
		"/logs/_%Y":                   "Hadoop's readers skip those",
		"/logs/%Y/../x":               "Hadoop's readers skip those",
		"/logs/%H:%M":                 "no colon",
	} {
		if _, err := ParsePattern(pattern); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v, want a word about %q", pattern, err, hint)
		}
	}
}

func TestExpandNeedsAHost(t *testing.T) {
	p, err := ParsePattern("/logs/%{host}/%{label:role}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Expand(time.Time{}, "", map[string]string{"role": "a", "host": "b"}); err == nil {
		t.Errorf("expanded to %q", got)
	}
}

func TestGroupsAreDirectories(t *testing.T) {
	p, err := ParsePattern("/logs/%{label:site}/%Y/x%{label:role}/%{label:site}")
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for _, labels := range []map[string]string{
		nil, {"site": ""}, {"site": "unknown"}, {"site": "a"}, {"site": "a", "role": ""}, {"site": "a", "other": "b"},
		{"role": "a"}, {"site": "a/b"}, {"site": "a", "role": "b"}, {"site": "a%2Fb"}, {"role": "unknown"},
	} {
		dir, err := p.Expand(time.Time{}, "web01", labels)
		if err != nil {
			t.Fatal(err)
		}
		group := p.Group(labels)
		if other, known := dirs[group]; known && other != dir {
			t.Errorf("%v: %s and %s are of one group", labels, other, dir)
		}
		for g, other := range dirs {
			if g != group && other == dir {
				t.Errorf("%v: the groups %s and %s have one directory", labels, g, group)
			}
		}
		dirs[group] = dir
	}
	if len(dirs) != 8 {
		t.Errorf("%d groups: %v", len(dirs), dirs)
	}
	if p, err = ParsePattern("/logs/%{host}/%Y"); err != nil || p.Group(map[string]string{"site": "a"}) != "" {
		t.Errorf("a pattern without a label has groups, %v", err)
	}
}

func TestElementsAreSafeAndDistinct(t *testing.T) {
	cases := map[string]string{
		"web01": "web01", "müller": "müller", "a b": "a b", "a.b_c": "a.b_c",
		"..": "%2E.", ".": "%2E", "": "%", "_x": "%5Fx", "../x": "%2E.%2Fx", "a/b": "a%2Fb", `a\b`: "a%5Cb",
		"::1": "%3A%3A1", "a\x00b": "a%00b", "\xff": "%FF", "\ufffd": "%EF%BF%BD", "a%2Fb": "a%252Fb", "%": "%25",
	}
	seen := map[string]string{}
	for in, want := range cases {
		got := pathElement(in)
		if got != want {
			t.Errorf("pathElement(%q) = %q, want %q", in, got, want)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q both become %q", in, other, got)
		}
		seen[got] = in
		if err := CheckName("d/" + got); err != nil {
			t.Error(err)
		}
	}
}

func TestNamesThatLeadOutOfTheArchiveAreRefused(t *testing.T) {
	for _, name := range []string{"", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "./a", TmpDir + "/x", "a/.b", "a/_SUCCESS", "a:b", "a\x00"} {
		if CheckName(name) == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("/logs/%Y%m%d/%{host}", int64(1788411909), "web01", "")
	f.Add("/a/%c%D%%", int64(-1), "../..", "")
	f.Add("/a/%t/x%{host}y", int64(0), "\xff/:", "")
	f.Add("/a/%{label:l}/%Y%m%d/x%{label:l}y/%{host}", int64(0), "h", "../x")
	f.Fuzz(func(t *testing.T, pattern string, seconds int64, host, label string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		const year10000 = 253402300800
		at := time.Unix(seconds%year10000, 0).In(berlin)
		dir, err := p.Expand(at, host, map[string]string{"l": label})
		if err != nil {
			return
		}
		if err := CheckName(strings.TrimPrefix(dir+"/file.gz", "/")); err != nil {
			t.Errorf("%q gives %q: %v", pattern, dir, err)
		}
	})
}

func FuzzLabelElement(f *testing.F) {
	for _, s := range []string{"", "unknown", "%75nknown", "shop", "../etc", "_x", "a/b", "a:b\x00", "\xff\xfe", "müller", strings.Repeat("é", 61), strings.Repeat("/", 41), strings.Repeat("x", 4000)} {
		f.Add(s, s+"x")
	}
	p, err := ParsePattern("/logs/a%{label:l}b")
	if err != nil {
		f.Fatal(err)
	}
	m := p.Matcher()
	f.Fuzz(func(t *testing.T, value, other string) {
		element := labelElement(value)
		if err := CheckName(element); err != nil || len(element) > maxLabelElementBytes || !utf8.ValidString(element) {
			t.Errorf("%q becomes %q: %v", value, element, err)
		}
		if value != other && element == labelElement(other) {
			t.Errorf("%q and %q both become %q", value, other, element)
		}
		want := value
		if strings.Contains(element, hashMark) {
			want = ""
		}
		if got, ok := m.Match("a" + element + "b/f.gz"); !ok || got.Labels["l"] != want {
			t.Errorf("%q becomes %q and is read as %+v, %v", value, element, got, ok)
		}
	})
}
