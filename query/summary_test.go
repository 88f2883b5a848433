package query

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/schema"
)

func TestTopIsExactWhileItFits(t *testing.T) {
	f := testFormat(t, "combined")
	top, count := NewTop("user", 3, 0), &Count{}
	for user, n := range map[string]int{"ann": 3, "bob": 5, "-": 4, `""`: 1, "carl": 3} {
		for range n {
			e := testEntry(t, f, strings.Replace(testLine, "- -", "- "+user, 1))
			if err := errors.Join(top.Add(e), count.Add(e)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := Report{Key: "user", Groups: []Group{{Value: "bob", Count: 5}, {Null: true, Count: 4}, {Value: "ann", Count: 3}}}
	if got := top.Report(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got := count.Report(); !reflect.DeepEqual(got, Report{Groups: []Group{{Count: 16}}}) {
		t.Errorf("%+v", got)
	}
}

// TestTopStaysBounded counts far more values than fit: the memory stays where it
// is, what is frequent is found, and no count is off by more than it says.
func TestTopStaysBounded(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	const maxBytes = 200 * counterBytes
	top := NewTop("x", 5, maxBytes)
	truth := map[string]int64{}
	rec := &schema.Record{}
	fields := []schema.Field{{Name: "x"}}
	for range 50_000 {
		value := fmt.Sprint("rare", rnd.IntN(20_000))
		if rnd.IntN(3) == 0 {
			value = fmt.Sprint("often", rnd.IntN(5))
		}
		truth[value]++
		rec.Reset([]byte(value), fields)
		rec.Values[0] = schema.Value{End: uint32(len(value)), State: schema.InLine}
		if err := top.Add(&schema.Entry{Record: rec}); err != nil {
			t.Fatal(err)
		}
		if top.bytes > maxBytes {
			t.Fatalf("seed %d: %d bytes", seed, top.bytes)
		}
	}
	r := top.Report()
	if !r.Approximate || len(r.Groups) != 5 {
		t.Fatalf("seed %d: %+v", seed, r)
	}
	for _, g := range r.Groups {
		if !strings.HasPrefix(g.Value, "often") || g.Count < truth[g.Value] || g.Count-g.Excess > truth[g.Value] {
			t.Errorf("seed %d: %+v, in truth %d", seed, g, truth[g.Value])
		}
	}
	for value, n := range truth {
		if top.counters[value] == nil && n > r.Floor {
			t.Errorf("seed %d: %s was left out with %d, above the floor of %d", seed, value, n, r.Floor)
		}
	}
}

func addTimes(t *testing.T, h *Histogram, times ...string) {
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
		if err := h.Add(&schema.Entry{Record: rec}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHistogramsFollowTheWallClock(t *testing.T) {
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
		h, err := NewHistogram(c.width, zone)
		if err != nil {
			t.Fatal(err)
		}
		addTimes(t, h, c.times...)
		var got []string
		for _, g := range h.Report().Groups {
			if g.Null {
				g.Value = "null"
			}
			got = append(got, fmt.Sprint(g.Value, " ", g.Count))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, s, c.want)
		}
	}
}

func TestHistogramsAreBounded(t *testing.T) {
	h, err := NewHistogram(time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	addTimes(t, h, "2015-05-17T10:05:03Z")
	if err := h.Add(&schema.Entry{Record: &schema.Record{Dated: true}}); !errors.Is(err, ErrTooManyBuckets) || !strings.Contains(err.Error(), "from 1970-01-01 to 2015-05-17") {
		t.Errorf("45 years of seconds: %v", err)
	}
	for _, width := range []time.Duration{0, -time.Hour, time.Millisecond, 1500 * time.Millisecond, 367 * 24 * time.Hour, 1<<63 - 1} {
		if _, err := NewHistogram(width, nil); err == nil {
			t.Errorf("buckets of %v", width)
		}
	}
}

func TestSummariesDoNotAllocateForAValueTheyHave(t *testing.T) {
	h, err := NewHistogram(time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := testEntry(t, testFormat(t, "combined"), testLine)
	for _, s := range []Summary{&Count{}, NewTop("status", 3, 0), NewTop("path", 3, 0), h} {
		if n := testing.AllocsPerRun(100, func() {
			if err := s.Add(e); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%T: %v allocations", s, n)
		}
	}
}
