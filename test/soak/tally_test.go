package soak

import (
	"strings"
	"testing"
)

const (
	third  = `1.2.3.4 - - [03/Sep/2026:23:59:59 +0000] "GET / HTTP/1.1" 200 5 "-" "-"` + "\n"
	fourth = `1.2.3.4 - - [04/Sep/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"` + "\n"
	odd    = "no line of Apache's\n"
)

// Missing, duplicate and misplaced lines are found.
func TestTalliesReportDifferences(t *testing.T) {
	for name, c := range map[string]struct{ third, fourth, text string }{
		"the same":                     {third + odd, fourth, ""},
		"in another order":             {odd + third, fourth, ""},
		"a line without a day, moved":  {third, odd + fourth, ""},
		"a line is missing":            {odd, fourth, "web01: 2 lines, want 3; web01 20260903: 0 lines, want 1"},
		"one without a day is missing": {third, fourth, "web01: 2 lines, want 3"},
		"one is there twice":           {third + third + odd, fourth, "web01: 4 lines, want 3; web01 20260903: 2 lines, want 1"},
		"another one in its place":     {third + odd, strings.Replace(fourth, "200", "304", 1), "web01 20260904: 1 lines, with different content"},
		"in another day's file":        {third + odd + fourth, "", "a line of 20260904 is in 20260903 of web01"},
		"no end":                       {third + odd, strings.TrimSpace(fourth), "without its end"},
	} {
		want, got := tallies{}, tallies{}
		if err := want.read(strings.NewReader(third+odd+fourth), "web01", ""); err != nil {
			t.Fatal(err)
		}
		err := got.read(strings.NewReader(c.third), "web01", "20260903")
		if err == nil {
			err = got.read(strings.NewReader(c.fourth), "web01", "20260904")
		}
		if err == nil {
			err = want.equal(got)
		}
		if c.text == "" && err != nil || c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
	}
}
