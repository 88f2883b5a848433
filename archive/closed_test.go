package archive

import (
	"strings"
	"testing"
	"time"
)

func TestADayIsClosedWhenNothingIsToCome(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 10, day, hour, minute, 0, 0, zone) }
	dirs := []Span{{"20261024/a", at(24, 0, 0)}, {"20261024/b", at(24, 5, 0)}, {"20261025", at(25, 0, 0)}}
	for _, c := range []struct {
		why        string
		unarchived []Span
		now        time.Time
		want       string
	}{
		{"the day is not over", nil, at(24, 23, 59), ""},
		{"the grace is not over", nil, at(25, 0, 59), ""},
		{"it is", nil, at(25, 1, 0), "20261024/a 20261024/b"},
		{"a segment is open", []Span{{Dir: "20261024/a"}}, at(25, 1, 0), "20261024/b"},
		{"one of another day is", []Span{{Dir: "20261025/a"}}, at(25, 1, 0), "20261024/a 20261024/b"},
		{"one below is", []Span{{Dir: "20261025/a"}}, at(26, 9, 0), "20261024/a 20261024/b"},
		{"a name that begins alike is", []Span{{Dir: "20261024/ab"}}, at(25, 1, 0), "20261024/a 20261024/b"},
		{"a day of 25 hours", nil, at(26, 0, 59), "20261024/a 20261024/b"},
		{"and its end", nil, at(26, 1, 0), "20261024/a 20261024/b 20261025"},
	} {
		if got := strings.Join(Closed(dirs, c.unarchived, c.now, time.Hour), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}
