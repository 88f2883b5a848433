package parse

import (
	"testing"
	"time"

	"sluice/schema"
)

func TestTimesInEveryForm(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format, line string
		want         string // RFC 3339 in the line's zone; "" for null
	}{
		{`%t`, "[17/May/2015:10:05:03 +0545]", "2015-05-17T10:05:03+05:45"},
		{`%t`, "[29/Feb/2016:00:00:00 -1200]", "2016-02-29T00:00:00-12:00"},
		{`%t`, "[31/Dec/1969:18:00:00 -0937]", "1969-12-31T18:00:00-09:37"},
		{`%t`, "[01/Jan/1970:00:00:00 +0100]", ""},
		{`%t`, "[31/Dec/2261:23:59:59 +0000]", "2261-12-31T23:59:59Z"},
		{`%t`, "[31/Dec/2261:23:59:59 -0100]", ""},
		{`%{%F %T %z}t`, "1969-12-31 18:00:00 -0937", "1969-12-31T18:00:00-09:37"},
		{`%{%F %T %z}t`, "1970-01-01 00:00:00 +0100", ""},
		{`%t`, "[29/Feb/2100:00:00:00 +0000]", ""},
		{`%{begin}t`, "[17/May/2015:10:05:03 +0000]", "2015-05-17T10:05:03Z"},
		{`%{end}t`, "[17/May/2015:10:05:03 +0000]", "2015-05-17T10:05:03Z"},
		{`%{sec}t`, "1431857103", "2015-05-17T10:05:03Z"},
		{`%{msec}t`, "1431857103001", "2015-05-17T10:05:03.001Z"},
		{`%{usec}t`, "1431857103000001", "2015-05-17T10:05:03.000001Z"},
		{`%{begin:usec}t`, "1431857103000001", "2015-05-17T10:05:03.000001Z"},
		{`%{sec}t.%{usec_frac}t`, "1431857103.000001", "2015-05-17T10:05:03.000001Z"},
		{`%{sec}t%{msec_frac}t`, "1431857103007", "2015-05-17T10:05:03.007Z"},
		{`%{sec}t %{usec}t`, "1431857103 1431857103000001", "2015-05-17T10:05:03.000001Z"},
		{`%{usec}t %{sec}t`, "1431857103000001 1431857103", "2015-05-17T10:05:03.000001Z"},
		{`%{msec}t %{usec_frac}t`, "1431857103001 001234", "2015-05-17T10:05:03.001234Z"},
		{`%{usec_frac}t %{msec_frac}t %{sec}t`, "001234 001 1431857103", "2015-05-17T10:05:03.001234Z"},
		{`%t %{usec_frac}t`, "[17/May/2015:10:05:03 +0200] 000250", "2015-05-17T10:05:03.00025+02:00"},
		{`%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t`, "17/May/2015 10:05:03.250 -0700", "2015-05-17T10:05:03.25-07:00"},
		{`%{%Y-%m-%dT%H:%M:%S%z}t`, "2015-05-17T10:05:03+0000", "2015-05-17T10:05:03Z"},
		{`%{%F %T}t`, "2015-05-17 10:05:03", "2015-05-17T10:05:03+02:00"},
		{`%{%F %T}t`, "2015-01-17 10:05:03", "2015-01-17T10:05:03+01:00"},
		{`%{%F %T}t`, "2015-10-25 03:00:00", "2015-10-25T03:00:00+01:00"},
		{`%{%F %T}t`, "2015-10-25 01:59:59", "2015-10-25T01:59:59+02:00"},
		{`%{%F %T}t`, "2015-10-25 02:30:00", "2015-10-25T02:30:00+02:00"},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 UTC", "2015-05-17T10:05:03Z"},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 CEST", "2015-05-17T10:05:03+02:00"},
		{`%{%c}t`, "Sun May  7 10:05:03 2015", "2015-05-07T10:05:03+02:00"},
		{`%{%D %r}t`, "05/17/15 10:05:03 PM", "2015-05-17T22:05:03+02:00"},
		{`%{%D %r}t`, "05/17/15 12:05:03 AM", "2015-05-17T00:05:03+02:00"},
		{`%{%A, %e %B %Y %k:%M}t`, "Sunday,  7 May 2015  9:05", "2015-05-07T09:05:00+02:00"},
		{`%{%a %U %u %w %V %G %Y-%j %R}t`, "Sun 20 7 0 20 2015 2015-137 10:05", "2015-05-17T10:05:00+02:00"},
		{`%{%C%y%m%d%n%t%%}t`, "20150517\n\t%", "2015-05-17T00:00:00+02:00"},
		{`%{%Y-%j}t`, "2015-366", ""},
		{`%{%s}t`, "1431857103", "2015-05-17T10:05:03Z"},
		{`%{%Y-%m-%d}t %{%H:%M:%S}t`, "2015-05-17 10:05:03", "2015-05-17T10:05:03+02:00"},
		{`%{%Y-%m-%d}t %{%H:%M:%S}t`, "2015-05-17 10:99:03", ""},
		{`%{%Y-%m-%d}t %{%H:%M:%S}t`, "2015-02-30 10:05:03", ""},
		{`%{%H:%M:%S}t`, "10:05:03", ""},
		{`%{usec}t`, "99999999999999999999", ""},
		{`%{begin:%F %T}t %{end:%F %T}t`, "2015-05-17 10:05:03 2015-05-17 10:05:09", "2015-05-17T10:05:03+02:00"},
	} {
		f, err := Lookup(c.format, berlin)
		if err != nil {
			t.Fatalf("%s: %v", c.format, err)
		}
		var rec schema.Record
		f.Parse([]byte(c.line), &rec)
		got := ""
		if rec.Dated {
			got = time.Unix(0, rec.Time).In(time.FixedZone("", int(rec.ZoneSeconds))).Format(time.RFC3339Nano)
		}
		if got != c.want || rec.Err.Set() != (c.want == "") {
			t.Errorf("%s of %q: got %q, %v, want %q", c.format, c.line, got, rec.Err, c.want)
		}
	}
}

func TestBeginAndEndAreFieldsOfTheirOwn(t *testing.T) {
	f, err := Compile(`%{end:usec}t %D %{begin:sec}t %{begin:usec_frac}t`)
	if err != nil {
		t.Fatal(err)
	}
	var rec schema.Record
	f.Parse([]byte("1431857104500000 1499999 1431857103 000001"), &rec)
	begin, end := rec.Values[rec.Index("time")].Num, rec.Values[rec.Index("end_time")].Num
	if begin != 1431857103000001000 || end != 1431857104500000000 || rec.Time != begin {
		t.Errorf("begin %d, end %d, time %d", begin, end, rec.Time)
	}
}

func TestEveryDayIsCountedAsTheStandardLibraryCounts(t *testing.T) {
	f, err := Compile("%t")
	if err != nil {
		t.Fatal(err)
	}
	var rec schema.Record
	for day := time.Unix(0, 0).UTC(); day.Year() < 2262; day = day.Add(23*time.Hour + 59*time.Minute + 7*time.Second) {
		line := day.Format("[02/Jan/2006:15:04:05 -0700]")
		if f.Parse([]byte(line), &rec); rec.Time != day.Unix()*1e9 {
			t.Fatalf("%s: got %d", line, rec.Time)
		}
	}
}

// Every byte of a time is checked: no other byte is accepted in its place, except another valid digit
// or month.
func TestDamagedTimesAreRefused(t *testing.T) {
	f, err := Compile("%t")
	if err != nil {
		t.Fatal(err)
	}
	const good = "[17/May/2015:10:05:03 +0000]"
	var rec schema.Record
	for i := range good {
		for c := range 256 {
			line := []byte(good)
			line[i] = byte(c)
			want, err := time.Parse("[02/Jan/2006:15:04:05 -0700]", string(line))
			// The standard library takes may for May, and a sign for a digit of the zone.
			ok := err == nil && string(line) == want.Format("[02/Jan/2006:15:04:05 -0700]") && want.Unix() >= 0 && want.UTC().Year() <= 2261
			if f.Parse(line, &rec); rec.Dated != ok && !(string(line) == "[17/May/2015:10:05:03 -0000]") {
				t.Errorf("%q: dated %v, the standard library: %v", line, rec.Dated, err)
			}
		}
	}
}

func TestNeedsZone(t *testing.T) {
	for format, want := range map[string]bool{
		"combined": false, "%h": false, "%{%F %T}t": true, "%{%F %T %z}t": false, "%{%F}t": true,
		"%{%F %T}t %{sec}t": false, "%{sec}t": false, "%{msec_frac}t": false,
	} {
		f, err := Lookup(format, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.needsZone(); got != want {
			t.Errorf("%s: %v", format, got)
		}
	}
}
