package archive

import (
	"strings"
	"testing"
	"time"
)

func TestMatchInvertsExpand(t *testing.T) {
	event := time.Date(2026, 9, 3, 7, 5, 9, 0, time.FixedZone("", 2*3600))
	day := time.Date(2026, 9, 3, 0, 0, 0, 0, time.UTC)
	hour := day.Add(7 * time.Hour)
	for pattern, want := range map[string]time.Time{
		"/logs/%Y%m%d/%{host}":                               day,
		"/logs/%{host}/%Y/%j":                                day,
		"/logs/%{host}/%y%b%e":                               day,
		"/logs/%{host}/%B-%n-%d-%Y":                          day,
		"/logs/%D/%{host}":                                   day,
		"/logs/%Y-%m-%d.%H/%{host}":                          hour,
		"/logs/%Y%m%d/%A/%s/%{host}":                         day,
		"/logs/%Y/%m/%{host}":                                {},
		"/logs/%{host}":                                      {},
		"/logs/100%%/%{host}/x/%{host}":                      {},
		"/logs/%{label:site}/%Y%m%d/%{host}/x-%{label:none}": day,
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		m := p.Matcher()
		for _, host := range []string{"web01", "web-01.example", "_odd/host é%"} {
			dir, err := p.Expand(event, host, map[string]string{"site": host})
			if err != nil {
				t.Fatal(err)
			}
			got, ok := m.Match(dir + "/access.1-000001.log.gz")
			if label, has := got.Labels["site"]; has != strings.Contains(pattern, "site") || has && label != host || got.Labels["none"] != "" {
				t.Errorf("%s: %s is read as %+v", pattern, dir, got)
			}
			if !ok || got.Host != host || !got.Time.Equal(want) {
				t.Errorf("%s: %s is read as %+v, %v; want %q and %v", pattern, dir, got, ok, host, want)
			}
		}
	}
}

func TestMatchLeavesOtherNamesAlone(t *testing.T) {
	p, err := ParsePattern("/logs/%Y%m%d/%{host}/%{host}")
	if err != nil {
		t.Fatal(err)
	}
	labelled, err := ParsePattern("/logs/%{label:site}")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "%/x", "%zz/x", "a/b/x", "%~0123/x", "%61~00112233445566778899aabbccddeeff/x", "%61%~00112233445566778899aabbccddeeff/x"} {
		if got, ok := labelled.Matcher().Match(name); ok {
			t.Errorf("%s is read as %+v", name, got)
		}
	}
	m := p.Matcher()
	for _, name := range []string{"x", "20260903/x", "2026090/a/a/x", "20261303/a/a/x", "20260903/a/b/x", "20260903/a/a/b/x", "20260903/%zz/%zz/x", "20260903/%61/%61/x"} {
		if got, ok := m.Match(name); ok {
			t.Errorf("%s is read as %+v", name, got)
		}
	}
}
