package parse

import (
	"testing"
	"time"

	"sluice/schema"
)

// What strftime writes has a fixed width; a shorter number is one that was cut.
func TestATruncatedOrIncompleteTimeIsNull(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ format, line, want string }{
		{`%{%F %T}t`, "2015-05-17 10:05:3", ""},
		{`%{%F %T}t`, "2015-05-17 10:05:", ""},
		{`%{%F %T}t`, "2015-5-17 10:05:03", ""},
		{`%{%Y%m%d%H%M%S}t`, "20150517100503", "2015-05-17T10:05:03+02:00"},
		{`%{%Y%m%d%H%M%S}t`, "2015051710050", ""},
		{`%{%y%j%H%M}t`, "151371005", "2015-05-17T10:05:00+02:00"},
		{`%{%y%j%H%M}t`, "15137100", ""},
		{`%{%F %T %z}t`, "2015-05-17 10:05:03 +0530", "2015-05-17T10:05:03+05:30"},
		{`%{%F %T %z}t`, "2015-05-17 10:05:03 +053", ""},
		{`%{%F %T %z}t x`, "2015-05-17 10:05:03 +053 x", ""},
		{`%{%F %T %z}t`, "2015-05-17 10:05:03 + 530", ""},
		// glibc's way not to pad.
		{`%{%-d.%-m.%Y %-H:%M}t`, "7.5.2015 9:05", "2015-05-07T09:05:00+02:00"},
		{`%{%-d.%-m.%Y %-H:%M}t`, "17.12.2015 19:05", "2015-12-17T19:05:00+01:00"},
		{`%{%_d.%m.%Y %k:%M}t`, " 7.05.2015  9:05", "2015-05-07T09:05:00+02:00"},
		// The hour is one of two.
		{`%{%F %I:%M:%S}t`, "2015-05-17 10:05:03", ""},
		{`%{%F}t %{%I:%M %p}t`, "2015-05-17 10:05 PM", "2015-05-17T22:05:00+02:00"},
		// A zone without a name has its offset in the place of one.
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 -03", "2015-05-17T10:05:03-03:00"},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 +0545", "2015-05-17T10:05:03+05:45"},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 +5", ""},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 +054", ""},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 +99", ""},
		// A name must be that of the configured zone, and distinguishes the two equal hours in autumn.
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 GMT", "2015-05-17T10:05:03Z"},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 CEST", "2015-05-17T10:05:03+02:00"},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 CET", ""},
		{`%{%F %T %Z}t`, "2015-05-17 10:05:03 EST", ""},
		{`%{%F %T %Z}t`, "2015-10-25 02:30:00 CEST", "2015-10-25T02:30:00+02:00"},
		{`%{%F %T %Z}t`, "2015-10-25 02:30:00 CET", "2015-10-25T02:30:00+01:00"},
		{`%{%F %T %Z}t`, "2015-10-25 03:30:00 CEST", ""},
		{`%{%F %T %Z %s}t`, "2015-05-17 10:05:03 EST 1431857103", "2015-05-17T10:05:03Z"},
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
