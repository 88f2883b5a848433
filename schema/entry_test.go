package schema

import (
	"testing"
	"time"
)

// testEntry is a line of four fields; the user is null, the agent is empty.
func testEntry() *Entry {
	line := []byte(`10.1.2.3 - 404 ""`)
	rec := &Record{}
	rec.Reset(line, []Field{{Name: "client", Kind: Addr}, {Name: "user"}, {Name: "status", Kind: Int}, {Name: "agent"}, {Name: "time", Kind: Time}})
	rec.Values[0] = Value{Num: 0x0a010203, Start: 0, End: 8, State: InLine, IPv4: true}
	rec.Values[2] = Value{Num: 404, Start: 11, End: 14, State: InLine}
	rec.Values[3] = Value{Start: 16, End: 16, State: InLine}
	rec.Time, rec.Dated, rec.ZoneSeconds = 1431857103_000000000, true, 7200
	return &Entry{Stream: &Stream{ID: 0xab, Host: "web01", Path: "/var/log/access.log"}, Offset: 42, Record: rec}
}

func TestEveryNameOfAnEntryIsFound(t *testing.T) {
	e := testEntry()
	for _, c := range []struct {
		name, text string
		null       bool
	}{
		{"client", "10.1.2.3", false}, {"user", "", true}, {"status", "404", false}, {"agent", "", false},
		{"host", "web01", false}, {"file", "/var/log/access.log", false}, {"stream", "00000000000000ab", false},
		{"offset", "42", false}, {"logbody", `10.1.2.3 - 404 ""`, false}, {"parse_error", "", true},
		{"time", "2015-05-17T12:05:03+02:00", false}, {"no_such", "", true},
	} {
		p := Locate(e.Record.Fields, c.name)
		var buf []byte
		text := e.Text(p, &buf)
		if e.Null(p) != c.null || (text == nil) != c.null || string(text) != c.text {
			t.Errorf("%s: %q, null %v; want %q, null %v", c.name, text, e.Null(p), c.text, c.null)
		}
	}
	e.Record.Dated = false
	if !e.Null(Locate(e.Record.Fields, "time")) {
		t.Error("a line without a readable time has one")
	}
}

func TestParseErrorTextIsThatOfError(t *testing.T) {
	e := testEntry()
	e.Record.Err = ParseError{Offset: 7, Directive: "%>s", Reason: "a number or - is expected"}
	var buf []byte
	if got := e.Text(Locate(nil, ParseErrorField), &buf); string(got) != e.Record.Err.Error() {
		t.Errorf("%q, want %q", got, e.Record.Err.Error())
	}
}

func TestAFormatsOwnFieldHasPrecedence(t *testing.T) {
	e := testEntry()
	fields := []Field{{Name: "file"}}
	e.Record.Reset([]byte("own"), fields)
	e.Record.Values[0] = Value{Start: 0, End: 3, State: InLine}
	var buf []byte
	if got := e.Text(Locate(fields, "file"), &buf); string(got) != "own" {
		t.Errorf("file is %q, want the format's own field", got)
	}
}

func TestEntryAddress(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3": "10.1.2.3", "::ffff:10.1.2.3": "10.1.2.3", "2001:DB8::1": "2001:db8::1", "www.example.org": "", "host": "",
	} {
		e := testEntry()
		e.Record.Line = []byte(text)
		e.Record.Values[0] = Value{Start: 0, End: uint32(len(text)), State: InLine}
		var buf []byte
		a, ok := e.Addr(Locate(e.Record.Fields, "client"), &buf)
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("%s: %v %v, want %q", text, a, ok, want)
		}
	}
}

func TestTimesInTheirOwnZone(t *testing.T) {
	at := time.Date(2015, 5, 17, 10, 5, 3, 120_000_000, time.UTC).UnixNano()
	for zone, want := range map[int32]string{
		0: "2015-05-17T10:05:03.12Z", 7200: "2015-05-17T12:05:03.12+02:00", -12600: "2015-05-17T06:35:03.12-03:30",
		30: "2015-05-17T10:05:03.12Z", 360000: "2015-05-17T10:05:03.12Z",
	} {
		got := string(appendTime(nil, at, zone))
		if got != want {
			t.Errorf("zone %d: %s, want %s", zone, got, want)
		}
		if back, err := time.Parse(time.RFC3339Nano, got); err != nil || back.UnixNano() != at {
			t.Errorf("zone %d: %s is %v, %v", zone, got, back, err)
		}
	}
}

func TestColumnsFollowTheFormatWithoutAllocating(t *testing.T) {
	a, b := testEntry(), testEntry()
	b.Record.Fields = []Field{{Name: "status", Kind: Int}, {Name: "client", Kind: Addr}, {Name: "x"}, {Name: "y"}, {Name: "z"}}
	b.Record.Values[0] = Value{Num: 500, State: InLine}
	c := NewColumns([]string{"status", "client", "host", "time"})
	var buf []byte
	step := func() {
		for _, e := range []*Entry{a, b} {
			for _, p := range c.Of(e.Record) {
				e.Text(p, &buf)
			}
		}
	}
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
	if n := b.Num(c.Of(b.Record)[0]); n != 500 {
		t.Errorf("status of the second format is %d", n)
	}
}

func TestComputedFields(t *testing.T) {
	fields := []Field{{Name: "path"}, {Name: "status", Kind: Int}}
	for _, c := range []struct {
		path, class string
		status      int64
		want        string
	}{
		{"/a?x=1?y", "2xx", 200, "/a"}, {"/a", "5xx", 599, "/a"}, {"?", "9xx", 999, ""}, {"/?", "", 99, "/"}, {"/", "", 1000, "/"}, {"/", "", -404, "/"},
	} {
		rec := &Record{}
		rec.Reset([]byte(c.path), fields)
		rec.Values[0] = Value{End: uint32(len(c.path)), State: InLine}
		rec.Values[1] = Value{Num: c.status, State: InLine}
		e := &Entry{Record: rec}
		var buf []byte
		path, class := Locate(fields, URLPathField), Locate(fields, StatusClassField)
		if got := string(e.Text(path, &buf)); got != c.want || e.Null(path) {
			t.Errorf("%s: url_path %q", c.path, got)
		}
		if got := string(e.Text(class, &buf)); got != c.class || e.Null(class) != (c.class == "") {
			t.Errorf("%d: status_class %q", c.status, got)
		}
		rec.Values[0].State, rec.Values[1].State = Null, Null
		if !e.Null(path) || !e.Null(class) || e.Text(path, &buf) != nil {
			t.Error("computed from null")
		}
	}
	if p := Locate([]Field{{Name: "status"}}, StatusClassField); p != (Place{}) {
		t.Error("a class of a text")
	}
	if p := Locate([]Field{{Name: "path"}, {Name: "url_path"}}, URLPathField); p.source != ofRecord {
		t.Error("the format's own url_path does not go before")
	}
}
