package query

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/schema"
)

func addTimes(t *testing.T, a *Answer, times ...string) {
	t.Helper()
	for _, s := range times {
		rec := &schema.Record{Dated: s != ""}
		if rec.Dated {
			at, err := time.Parse(time.RFC3339, s)
			if err != nil {
				t.Fatal(err)
			}
			rec.Time = at.UnixNano()
		}
		if err := a.Add(&schema.Entry{Record: rec}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpansFollowTheWallClock(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		width      time.Duration
		times      []string
		want       string
	}{
		{"gaps are filled", "UTC", time.Hour, []string{"2015-05-17T10:05:03Z", "", "2015-05-17T10:59:59Z", "2015-05-17T13:00:00Z"},
			"null 1, 2015-05-17T10:00:00Z 2, 2015-05-17T11:00:00Z 0, 2015-05-17T12:00:00Z 0, 2015-05-17T13:00:00Z 1"},
		{"half an hour's zone", "Asia/Kolkata", time.Hour, []string{"2015-05-17T10:05:03Z", "2015-05-17T10:35:00Z"},
			"2015-05-17T15:00:00+05:30 1, 2015-05-17T16:00:00+05:30 1"},
		{"days over the end of summer", "Europe/Berlin", 24 * time.Hour, []string{"2015-10-24T22:00:00Z", "2015-10-25T22:59:59Z", "2015-10-25T23:00:00Z"},
			"2015-10-25T00:00:00+02:00 2, 2015-10-26T00:00:00+01:00 1"},
		{"the hour that is not", "Europe/Berlin", time.Hour, []string{"2015-03-29T00:30:00Z", "2015-03-29T01:30:00Z"},
			"2015-03-29T01:00:00+01:00 1, 2015-03-29T03:00:00+02:00 1"},
		{"the hour that is twice", "Europe/Berlin", time.Hour, []string{"2015-10-25T00:30:00Z", "2015-10-25T01:30:00Z", "2015-10-25T02:30:00Z"},
			"2015-10-25T02:00:00+01:00 2, 2015-10-25T03:00:00+01:00 1"},
		{"weeks begin on Monday", "Europe/Berlin", 7 * 24 * time.Hour, []string{"2015-05-17T10:05:03Z", "2015-05-17T22:00:00Z", "2015-05-25T10:00:00Z"},
			"2015-05-11T00:00:00+02:00 1, 2015-05-18T00:00:00+02:00 1, 2015-05-25T00:00:00+02:00 1"},
		{"the first week of all", "UTC", 7 * 24 * time.Hour, []string{"1970-01-01T00:00:00Z", "1970-01-05T00:00:00Z"}, "1969-12-29T00:00:00Z 1, 1970-01-05T00:00:00Z 1"},
		{"nothing", "UTC", time.Hour, nil, ""},
		{"nothing dated", "UTC", time.Hour, []string{""}, "null 1"},
		{"west of Greenwich in 1970", "America/New_York", time.Hour, []string{"1970-01-01T00:30:00Z", "1970-01-01T02:30:00Z"},
			"1969-12-31T19:00:00-05:00 1, 1969-12-31T20:00:00-05:00 0, 1969-12-31T21:00:00-05:00 1"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		a := answerOf(t, Question{Every: c.width, Zone: zone}, "")
		addTimes(t, a, c.times...)
		if got := strings.ReplaceAll(show(t, a), "- ", "null "); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestSpansAreBounded(t *testing.T) {
	a := answerOf(t, Question{Every: time.Second}, "")
	addTimes(t, a, "2015-05-17T10:05:03Z", "1970-01-01T00:00:00Z", "")
	if _, err := a.Report(); !errors.Is(err, errTooManySpans) || !strings.Contains(err.Error(), "from 1970-01-01 to 2015-05-17") {
		t.Errorf("45 years of seconds: %v", err)
	}
	for _, width := range []time.Duration{-time.Hour, time.Millisecond, 1500 * time.Millisecond, 367 * 24 * time.Hour, 1<<63 - 1} {
		if _, err := NewAnswer(Question{Every: width}); err == nil {
			t.Errorf("spans of %v", width)
		}
	}
}

// TestASpanIsTheSameWhateverCameBefore numbers times in any order: the cached last span changes
// nothing.
func TestASpanIsTheSameWhateverCameBefore(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "UTC"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []time.Duration{time.Second, 7 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
			s, err := newSpanner(width, zone)
			if err != nil {
				t.Fatal(err)
			}
			seed := rand.Uint64()
			rnd := rand.New(rand.NewPCG(seed, 0))
			at := int64(0)
			for range 5000 {
				switch rnd.IntN(4) {
				case 0:
					at = rnd.Int64N(1 << 62)
				case 1:
					at += rnd.Int64N(int64(48 * time.Hour))
				default:
					at += rnd.Int64N(2*int64(width)) - int64(width)
				}
				fresh, _ := newSpanner(width, zone)
				if got, want := s.of(at), fresh.of(at); got != want {
					t.Fatalf("seed %d, %s, %v, %d: span %d, want %d", seed, name, width, at, got, want)
				}
			}
		}
	}
}
