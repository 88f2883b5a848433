package query

import (
	"errors"
	"testing"
	"time"
)

func TestTimesAsPeopleWriteThem(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2015, 5, 18, 0, 30, 0, 5, time.UTC) // 02:30 in Berlin
	for s, want := range map[string]string{
		"2015-05-17T10:05:03Z":         "2015-05-17T10:05:03Z",
		"2015-05-17T10:05:03.5+02:00":  "2015-05-17T08:05:03.5Z",
		"2015-05-17T10:05:03+0200":     "2015-05-17T08:05:03Z",
		"2015-05-17 10:05:03 +0200":    "2015-05-17T08:05:03Z",
		"2015-05-17":                   "2015-05-16T22:00:00Z",
		" 2015-05-17 10:05 ":           "2015-05-17T08:05:00Z",
		"2015-05-17T10:05":             "2015-05-17T08:05:00Z",
		"2015-01-17 10:05:03.25":       "2015-01-17T09:05:03.25Z",
		"17/May/2015:10:05:03 +0000":   "2015-05-17T10:05:03Z",
		"[17/May/2015:10:05:03 +0000]": "2015-05-17T10:05:03Z",
		"17/May/2015":                  "2015-05-16T22:00:00Z",
		"now":                          "2015-05-18T00:30:00.000000005Z",
		"today":                        "2015-05-17T22:00:00Z",
		"Yesterday":                    "2015-05-16T22:00:00Z",
		"-2h":                          "2015-05-17T22:30:00.000000005Z",
		"-1d12h":                       "2015-05-16T12:30:00.000000005Z",
		"1431857103":                   "2015-05-17T10:05:03Z",
		"1431857103.25":                "2015-05-17T10:05:03.25Z",
	} {
		got, err := ParseTime(s, now, berlin)
		if err != nil || time.Unix(0, got).UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s, %v; want %s", s, time.Unix(0, got).UTC().Format(time.RFC3339Nano), err, want)
		}
	}
	for _, s := range []string{"", "-", "2h", "2015", "2015-13-01", "2015-05-32", "tomorrow", "-2x", "1969-12-31", "-99999d", "99999999999999999999", "2300-01-01", "1431857103.1234567890", "1431857103.x"} {
		if got, err := ParseTime(s, now, nil); !errors.Is(err, errTime) {
			t.Errorf("%q is %d, %v", s, got, err)
		}
	}
}

func TestLengthsOfTime(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"24h": 24 * time.Hour, "7d": 168 * time.Hour, "2w": 336 * time.Hour, "90m": 90 * time.Minute, "1d12h": 36 * time.Hour, "45s": 45 * time.Second,
	} {
		if got, err := ParseLast(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0h", "h", "5", "-5h", "5 h", "1.5h", "9999999w", "106751d23h99999999h", "9223372036854775808s"} {
		if got, err := ParseLast(s); !errors.Is(err, errTime) {
			t.Errorf("%q is %v, %v", s, got, err)
		}
	}
}
