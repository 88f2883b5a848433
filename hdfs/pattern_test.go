package hdfs

import (
	"slices"
	"strings"
	"testing"
	"time"
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
		{"/a/100%%/%{role}/%{host}/%{host}", event, "/a", "100%/%2E.%2Fetc/web01/web01", Day},
		{"/a//b//%Y/", event, "/a/b", "2026", Day},
		{"/a/b", event, "/a/b", "", Day},
		{"data/%Y", event, "data", "2026", Day},
		{"/%Y", event, "/", "2026", Day},
	}
	labels := map[string]string{"host": "web01", "role": "../etc"}
	for _, c := range cases {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := p.Expand(c.at, labels)
		if err != nil || got != c.want || p.Root() != c.root || p.Unit() != c.unit {
			t.Errorf("%s: root %q, name %q, a %v, %v; want %q, %q, a %v", c.pattern, p.Root(), got, p.Unit(), err, c.root, c.want, c.unit)
		}
		start, end := p.Period(c.at)
		for _, at := range []time.Time{start, end.Add(-1)} {
			if same, err := p.Expand(at, labels); err != nil || same != got {
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

func TestBadPatternsSayWhatToWrite(t *testing.T) {
	for pattern, hint := range map[string]string{
		"":                   "begin with a directory",
		"%Y/%{host}":         "begin with a directory",
		"/logs/%Q":           "unknown escape %Q",
		"/logs/%":            "%% for a percent sign",
		"/logs/%{host":       "closing brace",
		"/logs/%{}":          "without a label",
		"/logs/%[localhost]": "depends on the machine",
		"/logs/_%Y":          "Hadoop's readers skip those",
		"/logs/%Y/../x":      "Hadoop's readers skip those",
		"/logs/%H:%M":        "no colon",
	} {
		if _, err := ParsePattern(pattern); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v, want a word about %q", pattern, err, hint)
		}
	}
}

func TestExpandNeedsEveryLabel(t *testing.T) {
	p, err := ParsePattern("/logs/%{host}/%{role}/%{host}")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Labels(); !slices.Equal(got, []string{"host", "role"}) {
		t.Errorf("labels %v", got)
	}
	for _, labels := range []map[string]string{nil, {"host": "a"}, {"host": "a", "role": ""}} {
		if got, err := p.Expand(time.Time{}, labels); err == nil {
			t.Errorf("%v: expanded to %q", labels, got)
		}
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
		got := Element(in)
		if got != want {
			t.Errorf("Element(%q) = %q, want %q", in, got, want)
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
	f.Add("/logs/%Y%m%d/%{host}", int64(1788411909), "web01")
	f.Add("/a/%c%D%%", int64(-1), "../..")
	f.Add("/a/%t/x%{host}y", int64(0), "\xff/:")
	f.Fuzz(func(t *testing.T, pattern string, seconds int64, host string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		const year10000 = 253402300800
		at := time.Unix(seconds%year10000, 0).In(berlin)
		dir, err := p.Expand(at, map[string]string{"host": host})
		if err != nil {
			return
		}
		if err := CheckName(strings.TrimPrefix(dir+"/file.gz", "/")); err != nil {
			t.Errorf("%q gives %q: %v", pattern, dir, err)
		}
	})
}
