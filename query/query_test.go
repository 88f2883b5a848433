package query

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/parse"
	"sluice/schema"
)

var testNow = time.Date(2015, 5, 18, 12, 0, 0, 0, time.UTC)

// testFormat compiles a format as a user names it.
func testFormat(t testing.TB, name string) *parse.Format {
	t.Helper()
	f, err := parse.Lookup(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// testEntry reads a line.
func testEntry(t testing.TB, f *parse.Format, line string) *schema.Entry {
	rec := &schema.Record{}
	f.Parse([]byte(line), rec)
	return &schema.Entry{Stream: &schema.Stream{ID: 0xab, Host: "web01", Path: "/var/log/access.log"}, Offset: 4096, Record: rec}
}

const testLine = `10.1.2.3 - - [17/May/2015:12:05:03 +0200] "GET /api/x\"y?q=1 HTTP/1.1" 503 2326 "" "curl/7.1 \xff"`

func TestExpressions(t *testing.T) {
	e := testEntry(t, testFormat(t, "combined"), testLine)
	if e.Record.Err.Set() {
		t.Fatal(e.Record.Err)
	}
	for _, c := range []struct {
		expr string
		want bool
	}{
		{`status >= 500 and (path =~ "^/api" or agent contains "curl") and not user is null`, false},
		{`status >= 500 and (path =~ "^/api" or agent contains "curl") and user is null`, true},
		{`status = 503`, true}, {`status == 503`, true}, {`status = "503"`, true}, {`status != 503`, false},
		{`status = 5xx`, true}, {`status = 50x`, true}, {`status = 4xx`, false}, {`status != 4xx`, true},
		{`status in 400-499`, false}, {`status in 500-503`, true}, {`status in (404, 410)`, false},
		{`status in (404,5xx)`, true}, {`status not in (404,5xx)`, false}, {`status not in (404)`, true},
		{`status < 503`, false}, {`status <= 503`, true}, {`status > 503`, false}, {`status > 502`, true}, {`status >= 503`, true},
		{`bytes > 999`, true}, {`bytes < 10000`, true},
		{`method = GET`, true}, {`method = get`, false}, {`METHOD = GET`, false}, {`method != GET`, false}, {`method in (GET,HEAD)`, true},
		{`client in 10.0.0.0/8`, true}, {`client = 10.1.2.3`, true}, {`client = ::ffff:10.1.2.3`, true}, {`client in (11.0.0.0/8, 10.1.2.0/24)`, true},
		{`client in ::ffff:10.0.0.0/104`, true}, {`client in 2001:db8::/32`, false}, {`client != 10.1.2.3`, false}, {`client = www.example.org`, false},
		{`client starts with 10.1.`, true},
		{`path starts with "/api"`, true}, {`path starts with /api/x`, true}, {`path contains "\""`, true}, {`path contains '"'`, true},
		{`query = "q=1"`, true}, {`request contains "HTTP/1.1"`, true}, {`protocol = HTTP/1.1`, true},
		{`agent contains "\xff"`, true}, {`agent contains "\xfe"`, false}, {`agent =~ "(?i)CURL/\d"`, true}, {`agent !~ "curl"`, false},
		{`referer != ""`, false}, {`referer = ""`, true}, {`referer is null`, false}, {`referer is not null`, true},
		{`user = "" or user != ""`, false}, {`user is null`, true}, {`not user = x`, true}, {`user !~ "x"`, false}, {`user > a`, false},
		{`NOT user IS NOT NULL AND status IN (503) OR status = 1`, true},
		{`status = 1 or status = 503 and method = POST`, false}, {`(status = 503 or status = 1) and method = GET`, true},
		{`time >= 2015-05-17T10:05:03Z`, true}, {`time > 2015-05-17T10:05:03Z`, false}, {`time = "17/May/2015:12:05:03 +0200"`, true},
		{`time < "2015-05-17 10:05:04"`, true}, {`time >= -26h`, true}, {`time >= -1h`, false}, {`time >= yesterday`, true}, {`time < today`, true},
		{`host = web01`, true}, {`file starts with /var`, true}, {`stream = 00000000000000ab`, true}, {`offset = 4096`, true},
		{`parse_error is null`, true}, {`logbody contains 'x\\"y'`, true}, {`parse_error contains status`, false},
		{`no_such is null`, true}, {`no_such = 1`, false}, {`no_such != 1`, false},
	} {
		f, err := Parse(c.expr, testNow, time.UTC)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		m, err := Compile(f)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := m.Match(e); got != c.want {
			t.Errorf("%s is %v", c.expr, got)
		}
	}
}

func TestExpressionErrorsReportWhereAndWhat(t *testing.T) {
	for expr, want := range map[string]string{
		``:                                  `expected a field, not, or ( at byte 0, found the end`,
		`status`:                            `expected = != < <= > >= =~ !~ in, contains, starts with or is null after status at byte 6, found the end`,
		`status 500`:                        `after status at byte 7, found "500"`,
		`status = `:                         `expected a value at byte 9, found the end`,
		`user == null`:                      `expected a value (user is null, user is not null; "null" in quotes is a text) at byte 8, found "null"`,
		`user in (x, NULL)`:                 `expected a value (user is null`,
		`status = abc`:                      `expected a number for status (404), a class (5xx) or a range (400-499) at byte 9, found "abc"`,
		`status < 5xx`:                      `expected a number for status at byte 9`,
		`status = 499-400`:                  `expected a number for status`,
		`status in (404`:                    `expected , or ) at byte 14, found the end`,
		`status in ()`:                      `expected a value at byte 11, found ")"`,
		`(status = 404`:                     `expected and, or, or ) at byte 13`,
		`status = 404)`:                     `expected and, or, or the end at byte 12, found ")"`,
		`status = 404 method = x`:           `expected and, or, or the end at byte 13`,
		`path =~ "("`:                       `expected a regular expression (error parsing regexp: missing closing ): ` + "`(`" + `) at byte 8`,
		`path = "x`:                         `expected the closing " at byte 9`,
		`path = "\q"`:                       `expected \\ for a backslash`,
		`path = "\x4"`:                      `expected \\ for a backslash`,
		`path starts "x"`:                   `expected with at byte 12`,
		`path is empty`:                     `expected null or not null at byte 8`,
		`client in 10.0.0/8`:                `expected an address (10.1.2.3), a block (10.0.0.0/8 or 10.*), a range (10.1.2.3-10.1.2.9) or a host name (web.example.org or *.example.org) for client`,
		`client = 10.0.0.300`:               `expected an address`,
		`client < 10.0.0.0`:                 `addresses have no order`,
		`time > tomorrow`:                   `expected a time for time (2015-05-17, `,
		`status ! 5`:                        `expected != or !~ at byte 7`,
		`path not "x"`:                      `expected in at byte 9`,
		strings.Repeat("(", 200):            `expected at most 100 parentheses and nots within each other at byte 101`,
		strings.Repeat("not ", 200) + `a=1`: `expected at most 100 parentheses`,
		strings.Repeat(" ", 70000):          `at most 65536 bytes`,
	} {
		_, err := Parse(expr, testNow, time.UTC)
		var syntax *syntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v\nwant %s", expr, err, want)
		}
	}
}

func TestUnknownFieldsAreNamedWhenCompiled(t *testing.T) {
	f, err := Parse("stauts = 404", testNow, nil)
	if err != nil {
		t.Fatal(err)
	}
	common, agent := testFormat(t, "common").Fields(), testFormat(t, "agent").Fields()
	_, err = Compile(f, common, agent)
	if !errors.Is(err, ErrFilter) || !strings.Contains(err.Error(), `unknown field "stauts"; the fields are host, file, `) || !strings.Contains(err.Error(), "status, bytes, agent") {
		t.Errorf("%v does not name the fields there are", err)
	}
	f, err = Parse("agent contains x or status = 404 or host = y", testNow, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(f, common, agent); err != nil {
		t.Errorf("fields of one format each: %v", err)
	}
}

func TestInvalidFiltersAreRejected(t *testing.T) {
	for _, f := range []*schema.Filter{
		{Op: schema.And}, {Op: schema.Not}, {Op: schema.Op(99)}, {Op: schema.Matches, Text: "("}, {Op: schema.Within, Text: "x"},
		{Op: schema.Not, Args: []*schema.Filter{{Op: schema.Matches, Text: "("}}},
	} {
		if _, err := Compile(f); !errors.Is(err, ErrFilter) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestFieldsOfUnknownTypeCompareAsTheirValueLooks(t *testing.T) {
	f := testFormat(t, `%{X-Count}i "%{X-Name}i"`)
	for expr, want := range map[string]bool{
		"header_x_count = 7": true, `header_x_count = "7"`: false, "header_x_count < 10": true, "header_x_count in 5-9": true,
		"header_x_name = 7": false, "header_x_name < 10": false, "header_x_name > abc": true,
	} {
		filter, err := Parse(expr, testNow, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Compile(filter, f.Fields())
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Match(testEntry(t, f, `007 "seven"`)); got != want {
			t.Errorf("%s is %v", expr, got)
		}
	}
}

func TestFlags(t *testing.T) {
	e := testEntry(t, testFormat(t, "combined"), testLine)
	flag := func(f *schema.Filter, err error) *schema.Filter {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for i, c := range []struct {
		f    *schema.Filter
		want bool
	}{
		{flag(Status("404,5xx")), true}, {flag(Status("400-499, 404")), false},
		{flag(Method("get,post")), true}, {flag(Method("HEAD")), false},
		{flag(Client("10.1.0.0/16")), true}, {flag(Client("10.1.2.4,::1,web.example.org")), false},
		{flag(Path("/api")), true}, {flag(Path("/img")), false},
		{All(), true}, {All(nil, flag(Path("/api")), flag(Status("404"))), false}, {All(flag(Path("/api")), nil, flag(Status("503"))), true},
	} {
		m, err := Compile(c.f)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Match(e); got != c.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	for _, bad := range []func() (*schema.Filter, error){
		func() (*schema.Filter, error) { return Status("ok") }, func() (*schema.Filter, error) { return Status("404,") },
		func() (*schema.Filter, error) { return Method("GET,,HEAD") }, func() (*schema.Filter, error) { return Client("10.0.0.0/33") },
	} {
		if _, err := bad(); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("error %v does not name what was expected", err)
		}
	}
}

// found are the lines, of one log, that a filter finds.
func found(t *testing.T, f *schema.Filter, clients ...string) string {
	t.Helper()
	m, err := Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	format := testFormat(t, "common")
	var found []string
	for _, client := range clients {
		if m.Match(testEntry(t, format, client+` - - [17/May/2015:12:05:03 +0200] "GET /abi HTTP/1.1" 503 2326`)) {
			found = append(found, client)
		}
	}
	return strings.Join(found, " ")
}

func TestClientsAreFoundHoweverTheyAreWritten(t *testing.T) {
	clients := []string{"192.0.2.1", "192.0.2.9", "192.0.20.1", "fe80::1%eth0", "fe80::1%eth1", "fe80::2", "2001:db8::1", "::ffff:198.51.100.7", "web.example.org", "DB.example.org", "10-1.example.com"}
	for text, want := range map[string]string{
		"fe80::1%eth0": "fe80::1%eth0", "fe80::1": "fe80::1%eth0 fe80::1%eth1", "fe80::/10": "fe80::1%eth0 fe80::1%eth1 fe80::2", "FE80::1%eth1": "fe80::1%eth1",
		"fe80::1%eth.": "", "2001:DB8::1": "2001:db8::1", "2001:0db8:0:0:0:0:0:1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "2001:db8:*": "2001:db8::1",
		"192.0.2.*": "192.0.2.1 192.0.2.9", "192.0.*.*": "192.0.2.1 192.0.2.9 192.0.20.1", "192.*": "192.0.2.1 192.0.2.9 192.0.20.1",
		"::ffff:192.0.2.1": "192.0.2.1", "198.51.100.7": "::ffff:198.51.100.7", "::ffff:198.51.100.0/120": "::ffff:198.51.100.7",
		"192.0.2.1-192.0.2.9": "192.0.2.1 192.0.2.9", "192.0.2.2-192.0.20.1": "192.0.2.9 192.0.20.1", "192.0.2.2-9": "192.0.2.9", "fe80::-fe80::1": "fe80::1%eth0 fe80::1%eth1",
		"WEB.example.org": "web.example.org", "db.example.org": "DB.example.org", "*.example.org": "web.example.org DB.example.org", "web*": "web.example.org",
		"10-1.example.com": "10-1.example.com", "192.0.2.1, fe80::2": "192.0.2.1 fe80::2", "0.0.0.0-255.255.255.255": "192.0.2.1 192.0.2.9 192.0.20.1 ::ffff:198.51.100.7",
	} {
		f, err := Client(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := found(t, f, clients...); got != want {
			t.Errorf("--client %s finds %q, want %q", text, got, want)
		}
		if strings.Contains(text, ", ") {
			continue
		}
		for expr, want := range map[string]string{"client == '" + text + "'": want, "client in ('" + text + "')": want, "not client != '" + text + "'": want} {
			f, err := Parse(expr, testNow, nil)
			if err != nil {
				t.Errorf("%s: %v", expr, err)
			} else if got := found(t, f, clients...); got != want {
				t.Errorf("%s finds %q, want %q", expr, got, want)
			}
		}
	}
}

func TestConditionsThatNoRowCanMeetAreRejected(t *testing.T) {
	for _, c := range []struct {
		parse      func(string) (*schema.Filter, error)
		text, want string
	}{
		{Client, "192.0.2", "192.0.2.*"}, {Client, "192.0.2.", "192.0.2.*"}, {Client, "10", "10.*"}, {Client, "192.0.2.1:80", "expected an address"}, {Client, "[::1]:443", "follows the bracket"},
		{Client, "192.*.2.1", "expected"}, {Client, "192.0.2.1*", "expected"}, {Client, "*", "expected"}, {Client, "192.0.2.9-192.0.2.1", "lower to a higher"}, {Client, "192.0.2.1-x", "range"},
		{Client, "192.0.2.1-fe80::1", "range"}, {Client, "10.0.0.0/33", "expected"}, {Client, "fe80::%eth0/10", "expected"}, {Client, "300.1.2.3", "expected"}, {Client, "fe80::*", "expected"}, {Client, "", "expected"},
		{Client, "a b", "expected"}, {Client, "[web.example.org]", "IPv6"},
		{Status, "4x", "5xx"}, {Status, "44", "5xx"}, {Status, "4xxx", "5xx"}, {Status, "xxx", "5xx"}, {Status, "499-400", "range"}, {Status, "0", "404"}, {Status, "4*", "5xx"},
		{Method, "GET POST", "commas"}, {Method, "GET;POST", "commas"}, {Method, "G*", "such as GET"}, {Method, "!GET", "such as GET"},
		{Path, "api", "starts with /"}, {Path, "/api/*", "leave out the *"}, {Path, "/api?x=1", "query"}, {Path, "", "starts with /"},
	} {
		if f, err := c.parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: %+v, %v; want %q", c.text, f, err, c.want)
		}
	}
	for _, c := range []struct {
		parse func(string) (*schema.Filter, error)
		text  string
	}{
		{Path, "*"}, {Path, "/"}, {Path, "http://example.org/"}, {Path, "example.org:443"}, {Method, "m-search"}, {Method, "get"}, {Status, "4XX"}, {Status, "40x"}, {Status, "400-499"},
	} {
		if _, err := c.parse(c.text); err != nil {
			t.Error(err)
		}
	}
}

func TestMethodsAreFoundInAnyCase(t *testing.T) {
	format := testFormat(t, "common")
	for _, logged := range []string{"GET", "get", "Get"} {
		for _, asked := range []string{"GET", "get", "gEt", "post,get"} {
			f, err := Method(asked)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Compile(f)
			if err != nil {
				t.Fatal(err)
			}
			if !m.Match(testEntry(t, format, `192.0.2.1 - - [17/May/2015:12:05:03 +0200] "`+logged+` / HTTP/1.1" 503 2326`)) {
				t.Errorf("--method %s does not find %s", asked, logged)
			}
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	f, err := Parse(`(status >= 500 or bytes = 7) and path =~ "^/a.i" and client in 10.0.0.0/8 and agent contains curl
		and host = web01 and time > 2015-01-01 and stream != x and offset > 1 and not user = x`, testNow, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	a := testEntry(t, testFormat(t, "combined"), testLine)
	b := testEntry(t, testFormat(t, "common"), `2001:db8::7 - - [17/May/2015:12:05:03 +0200] "GET /abi HTTP/1.1" 503 2326`)
	c := testEntry(t, testFormat(t, "common"), `www.example.org - - [17/May/2015:12:05:03 +0200] "GET /abi HTTP/1.1" 503 2326`)
	if !m.Match(a) || m.Match(b) || m.Match(c) {
		t.Fatal("wrong answers")
	}
	if n := testing.AllocsPerRun(200, func() { m.Match(a); m.Match(b); m.Match(c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`status >= 500 and (path =~ "^/api" or agent contains "curl") and not user is null`, `client in 10.0.0.0/8`,
		`status in (404, 410, 5xx, 400-499)`, `path starts with "/x\x00\""`, `time >= 2015-05-17T10:00:00Z`, `referer != ""`, `a !~ '('`, `x not in (-1)`,
	} {
		f.Add(s)
	}
	e := testEntry(f, testFormat(f, "combined"), testLine)
	f.Fuzz(func(t *testing.T, expr string) {
		filter, err := Parse(expr, testNow, time.UTC)
		if err != nil {
			var syntax *syntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(expr) {
				t.Fatalf("%q: an error without a place: %v", expr, err)
			}
			return
		}
		m, err := Compile(filter)
		if err != nil {
			t.Fatalf("%q: parsed, but not compiled: %v", expr, err)
		}
		negated, err := Compile(not(filter))
		if err != nil {
			t.Fatal(err)
		}
		if m.Match(e) == negated.Match(e) {
			t.Fatalf("%q and not (%q) are both %v", expr, expr, m.Match(e))
		}
	})
}
