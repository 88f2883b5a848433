package segment

import (
	"strings"
	"testing"
)

func TestNamesRoundTrip(t *testing.T) {
	for _, n := range []Name{
		{Host: "web01", Period: "20260903", Seq: 1},
		{Host: "web-01.example.com", Period: "2026090323", Seq: 0},
		{Host: "müller", Period: "202609032359", Seq: 1<<64 - 1},
		{Host: "2001:db8::1", Period: "19700101", Seq: 7},
	} {
		for _, s := range []string{n.String(), n.String() + OpenSuffix} {
			got, open, err := ParseName(s)
			if err != nil || got != n || open != strings.HasSuffix(s, OpenSuffix) {
				t.Errorf("%s: %+v, open %v, %v", s, got, open, err)
			}
		}
	}
}

func TestInvalidNamesAreRejected(t *testing.T) {
	for _, s := range []string{
		"", "web01", "web01/", "web01/20260903.gz", "web01/20260903-1", "web01/20260903-.gz", "web01/20260903--1.gz",
		"web01/20260903-01.gz", "web01/20260903-+1.gz", "web01/2026090-1.gz", "web01/2026 903-1.gz", "web01/20260903-1.gz.tmp",
		"20260903-1.gz", "/20260903-1.gz", "../20260903-1.gz", "a/b/20260903-1.gz", "web01//20260903-1.gz",
		"web01/20260903-18446744073709551616.gz", "web01/20260903-1.gz.open.open",
	} {
		if n, _, err := ParseName(s); err == nil {
			t.Errorf("%q was read as %+v", s, n)
		}
	}
}

func TestAHostIsOnePlainDirectory(t *testing.T) {
	for _, host := range []string{"", ".", "..", "../x", "a/b", "/", "a\x00b", "a\nb", `a\b`, ".hidden", "_tmp", "\xff", strings.Repeat("h", 254)} {
		if err := CheckHost(host); err == nil {
			t.Errorf("%q was accepted", host)
		} else if !strings.Contains(err.Error(), "--host") {
			t.Errorf("%q: %v does not say how to correct it", host, err)
		}
	}
}
