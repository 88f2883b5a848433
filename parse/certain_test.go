package parse

import (
	"fmt"
	"strings"
	"testing"

	"sluice/schema"
)

// certainCase is a line and all that is certain of it: the fields that are not
// null, without those that are derived, and the start of the error.
type certainCase struct{ format, line, want, err string }

// checkCertain parses each line, @T standing for a time, and compares.
func checkCertain(t *testing.T, cases []certainCase) {
	t.Helper()
	for _, c := range cases {
		f, err := Lookup(c.format, nil)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.NewReplacer("@0", "[24/Jun/2017:10:14:35 +0000]", "@2", "[25/Jun/2017:10:14:36 +0000]", "@T", "[25/Jun/2017:10:14:35 +0000]").Replace(c.line)
		var rec schema.Record
		f.Parse([]byte(line), &rec)
		checkRecord(t, f, []byte(line), &rec)
		if got := certain(&rec); got != c.want {
			t.Errorf("%s\n%s\n got %s\nwant %s\n%v", c.format, line, got, c.want, rec.Err)
		}
		if c.err == "" && rec.Err.Set() || c.err != "" && !strings.Contains(rec.Err.Error(), c.err) || c.err != "" && !rec.Err.Set() {
			t.Errorf("%s\n%s\n got %v\nwant %s", c.format, line, rec.Err, c.err)
		}
	}
}

// certain lists the fields of a record that are not null.
func certain(rec *schema.Record) string {
	var all []string
	for i, f := range rec.Fields {
		switch v := &rec.Values[i]; {
		case rec.Null(i) || f.Derived:
		case f.Kind == schema.Time:
			all = append(all, fmt.Sprintf("%s=%d", f.Name, v.Num/1e9-1498385675)) // seconds from @T
		case f.Kind == schema.Int:
			all = append(all, fmt.Sprintf("%s=%d", f.Name, v.Num))
		default:
			all = append(all, fmt.Sprintf("%s=%s", f.Name, rec.Bytes(i)))
		}
	}
	return strings.Join(all, " ")
}

const get = `"GET /x HTTP/1.1"`
const gotten = "method=GET path=/x protocol=HTTP/1.1"

func TestAValueIsNullWhereTheTextInFrontOfItIsNotTheFormats(t *testing.T) {
	checkCertain(t, []certainCase{
		{`"%h %l %u %t "%r" %>s %b`, `192.0.2.1 - bob @T ` + get + ` 200 1`, "user=bob time=0 " + gotten + " status=200 bytes=1", "byte 0: %h: the line does not start"},
		{`"%h %l %u %t "%r" %>s %b`, `2001:db8::1 - bob @T ` + get + ` 200 1`, "user=bob time=0 " + gotten + " status=200 bytes=1", "byte 0: %h"},
		{`"%a %l %u %t "%r" %>s %b`, `192.0.2.1 - bob @T ` + get + ` 200 1`, "user=bob time=0 " + gotten + " status=200 bytes=1", "byte 0: %a"},
		{`ip=%h %l %u %t "%r" %>s %b`, `192.0.2.1 - bob @T ` + get + ` 200 1`, "user=bob time=0 " + gotten + " status=200 bytes=1", "byte 0: %h"},
		// A part of it is there.
		{`[[%h %l %u %t "%r" %>s %b`, `[192.0.2.1 - bob @T ` + get + ` 200 1`, "user=bob time=0 " + gotten + " status=200 bytes=1", "byte 0: %h"},
		{`[%h] %l %u %t "%r" %>s`, `192.0.2.1] - bob @T ` + get + ` 200`, "time=0 " + gotten + " status=200", "byte 0: %h"},
		// A number, a text and a time after it.
		{`pid %P %h`, `4711 192.0.2.1`, "client=192.0.2.1", "byte 0: %P"},
		{`#%D %h`, `4711 192.0.2.1`, "client=192.0.2.1", "byte 0: %D"},
		{`<%v> %D`, `www.example 7`, "", "byte 0: %v"},
		{`- %t %h`, `@T 192.0.2.1`, "time=0 client=192.0.2.1", "byte 0: %t"},
		// A text after the last value.
		{`%h %>s %b|`, `192.0.2.1 200 5`, "client=192.0.2.1 status=200", "%b"},
		{`%h %>s %b bytes`, `192.0.2.1 200 5 byte`, "", "%h: the line has more"},
		{`"%r" <%D>`, get + ` <77`, gotten, "%D"},
		{`%h "%{Referer}i"`, `192.0.2.1 "http://x/`, "client=192.0.2.1", "%{Referer}i: no closing quote"},
	})
}

func TestANumberAtTheEndIsAllOfTheRemainingText(t *testing.T) {
	for _, value := range []string{"1,513", "198.51.100.7", "1e6", "2024-01-01", "0.350", "77 88", "77x", "--5", "5-", "+5", "0x10", "1 513", "\x0077", "77\x00"} {
		checkCertain(t, []certainCase{
			{`%h %l %u %t "%r" %>s %D`, `192.0.2.1 - - @T ` + get + ` 200 ` + value, "client=192.0.2.1 time=0 " + gotten + map[bool]string{false: " status=200"}[strings.Contains(value, " ")], "%"},
		})
	}
	for _, directive := range strings.Fields("%B %b %D %I %k %O %p %P %{tid}P %{remote}p %s %S %T %{ms}T %{us}T %^FB %^FU") {
		for _, value := range []string{"12", "-3", "123456789012345678", "-"} {
			f, err := Compile("%h " + directive)
			if err != nil {
				t.Fatal(err)
			}
			var rec schema.Record
			if f.Parse([]byte("192.0.2.1 "+value), &rec); rec.Err.Set() || dumpValue(&rec, 1) != strings.Replace(value, "-", "null", 1) && value != "-3" {
				t.Errorf("%s of %q: %s", directive, value, dump(&rec))
			}
		}
		for _, value := range []string{"12.5", "12,5", "1234567.5", "12345678.5", "12e3", "1234567890123456789"} {
			name := fieldsOf(t, directive)
			_ = name
			checkCertain(t, []certainCase{{"%h " + directive, "192.0.2.1 " + value, "client=192.0.2.1", directive + ": a number"}})
		}
	}
	checkCertain(t, []certainCase{
		// Read from the line's end: there is a damaged user before it.
		{`%h %l %u %>s %D`, `192.0.2.1 -  bob 200 7.5`, "client=192.0.2.1 status=200", "%u"},
		{`%h %{sec}t`, `192.0.2.1 1498385675.5`, "client=192.0.2.1", "%{sec}t"},
		{`%h %{msec}t`, `192.0.2.1 1498385675000,5`, "client=192.0.2.1", "%{msec}t"},
		{`%h %{%F %T}t`, `192.0.2.1 2017-06-25 10:14:35.250`, "client=192.0.2.1", "%{%F %T}t"},
		{`%h %{%s}t`, `192.0.2.1 1498385675x`, "client=192.0.2.1", "%{%s}t"},
		{`%h %t`, `192.0.2.1 @T7`, "client=192.0.2.1 time=0", "end of the format"},
		{`%h %X`, `192.0.2.1 ++`, "client=192.0.2.1", "%X"},
		{`%>s %h`, `200 192.0.2.1,5`, "status=200", "%h: an address"},
		{`%>s %h`, `200 192.0.2.1.5`, "status=200", "%h: an address"},
		{`%>s %a`, `200 192.0.2.01`, "status=200", "%a: an address"},
		{`%>s %a`, `200 2001:db8::1::2`, "status=200", "%a: an address"},
	})
}

func TestAHeaderWithBlanksIsReadToTheEndOfItsListOrNull(t *testing.T) {
	const end = "time=0 " + gotten + " status=200"
	checkCertain(t, []certainCase{
		{`%v %h %{X-Forwarded-For}i %l %u %t "%r" %>s`, `www.example 192.0.2.1 198.51.100.9, 198.51.100.10 - bob @T ` + get + ` 200`,
			"vhost=www.example client=192.0.2.1 header_x_forwarded_for=198.51.100.9, 198.51.100.10 user=bob " + end, ""},
		{`%h %{X-Forwarded-For}i %u %t "%r" %>s`, `192.0.2.1 198.51.100.9, 198.51.100.10 bob @T ` + get + ` 200`,
			"client=192.0.2.1 header_x_forwarded_for=198.51.100.9, 198.51.100.10 user=bob " + end, ""},
		{`%h %{X-Forwarded-For}i %u %t "%r" %>s`, `192.0.2.1 198.51.100.9, 198.51.100.10, 2001:db8::1 - @T ` + get + ` 200`,
			"client=192.0.2.1 header_x_forwarded_for=198.51.100.9, 198.51.100.10, 2001:db8::1 " + end, ""},
		{`%h %{X-Forwarded-For}i %u %t "%r" %>s`, `192.0.2.1 198.51.100.9 bob @T ` + get + ` 200`,
			"client=192.0.2.1 header_x_forwarded_for=198.51.100.9 user=bob " + end, ""},
		{`%h "%r" %>s %{X-Forwarded-For}i %D`, `192.0.2.1 ` + get + ` 200 198.51.100.9, 198.51.100.10 77`,
			"client=192.0.2.1 " + gotten + " status=200 header_x_forwarded_for=198.51.100.9, 198.51.100.10 duration_us=77", ""},
		// A blank that no list explains belongs to the one or to the other.
		{`%h %{X-Forwarded-For}i %u %t "%r" %>s`, `192.0.2.1 198.51.100.9 a bob @T ` + get + ` 200`, "client=192.0.2.1 " + end, "byte 10: %{X-Forwarded-For}i: the line can be read"},
		{`%h %{X-Forwarded-For}i %u %t "%r" %>s`, `192.0.2.1 198.51.100.9, 198.51.100.10 a bob @T ` + get + ` 200`, "client=192.0.2.1 " + end, "byte 10"},
		{`%h %{X-Forwarded-For}i %u %t "%r" %>s`, `192.0.2.1 198.51.100.9 a, bob @T ` + get + ` 200`, "client=192.0.2.1 " + end, "byte 10"},
		{`%h %{Via}i %u %t "%r" %>s`, `192.0.2.1 1.1 vegur, 1.0 fred bob @T ` + get + ` 200`, "client=192.0.2.1 " + end, "byte 10"},
		{`%h %{Forwarded}i %u %t "%r" %>s`, `192.0.2.1 for=192.0.2.43;proto=http, for=198.51.100.17 bob @T ` + get + ` 200`,
			"client=192.0.2.1 header_forwarded=for=192.0.2.43;proto=http, for=198.51.100.17 user=bob " + end, ""},
		// In the first place, and in the last.
		{`%{X-Forwarded-For}i %l %u %t "%r" %>s`, `198.51.100.9, 198.51.100.10 - bob @T ` + get + ` 200`, "header_x_forwarded_for=198.51.100.9, 198.51.100.10 user=bob " + end, ""},
		{`%{X-Forwarded-For}i %h %l %t "%r" %>s`, `198.51.100.9, 198.51.100.10 192.0.2.1 - @T ` + get + ` 200`, "header_x_forwarded_for=198.51.100.9, 198.51.100.10 client=192.0.2.1 " + end, ""},
		{`%t "%r" %>s %{X-Forwarded-For}i`, `@T ` + get + ` 200 198.51.100.9, 198.51.100.10`, end + " header_x_forwarded_for=198.51.100.9, 198.51.100.10", ""},
		{`%t "%r" %>s %{Via}i`, `@T ` + get + ` 200 1.1 vegur, 1.0 fred`, end + " header_via=1.1 vegur, 1.0 fred", ""},
		// One free text alone between fixed points has all blanks.
		{`%h %{Via}i %t "%r" %>s`, `192.0.2.1 1.1 vegur, 1.0 fred @T ` + get + ` 200`, "client=192.0.2.1 header_via=1.1 vegur, 1.0 fred " + end, ""},
		{`"%r" %>s %{Via}i %D %k`, get + ` 200 1.1 a, 1.0 7 8 9`, gotten + " status=200 header_via=1.1 a, 1.0 7 duration_us=8 keepalive=9", ""},
		// An address never ends in a comma.
		{`%h %l %u %t "%r" %>s`, `198.51.100.9, 198.51.100.10 - bob @T ` + get + ` 200`, end, "byte 0: %h: the line has more"},
		{`%a %t "%r" %>s`, `198.51.100.9, @T ` + get + ` 200`, end, "byte 0: %a: an address"},
		// An empty header.
		{`%>s %{X-Forwarded-For}i %D`, `200  77`, "status=200 header_x_forwarded_for= duration_us=77", ""},
		// A header that looks like the fields after it.
		{`%h %{X-A}i %l %u %t "%r" %>s`, `192.0.2.1 - - - bob @T ` + get + ` 200`, end, "byte 0: %h: the line has more"},
		{`%h %{X-A}i %l %u %t "%r" %>s`, `192.0.2.1 a - b - bob @T ` + get + ` 200`, "client=192.0.2.1 " + end, "byte 10"},
	})
}

func TestACompleteTimeInBracketsIsAFixedPointOfItsLine(t *testing.T) {
	const end = "time=0 " + gotten + " status=200 bytes=1 agent=curl"
	const rest = get + ` 200 1 "-" "curl"`
	checkCertain(t, []certainCase{
		{"combined", `192.0.2.1 - bob @T  ` + rest, "client=192.0.2.1 user=bob " + end, "byte 44: %t: the text behind it differs"},
		{"combined", `192.0.2.1 - bob @T 4711 ` + rest, "client=192.0.2.1 user=bob " + end, "byte 44: %t"},
		{"combined", `192.0.2.1 - bob @T (0 s) ` + rest, "client=192.0.2.1 user=bob " + end, "byte 44: %t"},
		{"combined", `192.0.2.1 - bob @T` + rest, "client=192.0.2.1 user=bob " + end, "byte 44: %t"},
		{"combined", `192.0.2.1 - bob @T`, "client=192.0.2.1 user=bob time=0", "byte 44: %t"},
		{"combined", `192.0.2.1 @T ` + rest, "client=192.0.2.1 " + end, "byte 0: %h: the line has fewer"},
		{"combined", `www.example @T ` + rest, end, "byte 0: %h: the line has fewer"},
		{"combined", `192.0.2.1 bob @T ` + rest, "client=192.0.2.1 " + end, "byte 0: %h: the line has fewer"},
		{` %h %{x}i %l %t "%r"`, ` 192.0.2.1 @T ` + get, "client=192.0.2.1 time=0 " + gotten, "byte 0: %h: the line has fewer"},
		{` %h %{x}i %l %t "%r"`, `192.0.2.1 @T ` + get, "time=0 " + gotten, "byte 0: %h: the line has fewer"},
		{"combined", `@T ` + rest, end, "byte 0: %h"},
		{"combined", `www.example 192.0.2.1 - joe @T (0 s) ` + rest, end, "byte 0: %h: the line has more"},
		{"combined", `192.0.2.9 192.0.2.1 - - @T ` + rest, end, "byte 0: %h: the line has more"},
		{"combined", `192.0.2.9 192.0.2.1 joe @T ` + rest, "client=192.0.2.9 user=joe " + end, "byte 10: %l: one word"},
		{"combined", `192.0.2.1 - bob @T "GET /[@0] HTTP/1.1" abc 1 "-" "curl"`, "client=192.0.2.1 user=bob time=0 method=GET path=/[[24/Jun/2017:10:14:35 +0000]] protocol=HTTP/1.1 bytes=1 agent=curl", "%>s"},
		{"combined", `192.0.2.1 - bob [31/Jun/2017:10:14:35 +0000] "GET /@0 HTTP/1.1" 200 1 "-" "curl"`, "client=192.0.2.1 user=bob method=GET path=/[24/Jun/2017:10:14:35 +0000] protocol=HTTP/1.1 status=200 bytes=1 agent=curl", "%t"},
		{"combined", `192.0.2.1 - x @0 @T ` + rest, "client=192.0.2.1 user=x [24/Jun/2017:10:14:35 +0000] " + end, ""},
		{"combined", `192.0.2.1 - - @0 @T ` + rest, gotten + " status=200 bytes=1 agent=curl", "byte 0: %h: the line has more"},
		// Two times.
		{`%h %t %{end}t "%r" %>s`, `192.0.2.1 @T @2 ` + get + ` 200`, "client=192.0.2.1 time=0 end_time=1 " + gotten + " status=200", ""},
		{`%h %t %{end}t "%r" %>s`, `192.0.2.1 @T  @2 x ` + get + ` 200`, "client=192.0.2.1 time=0 end_time=1 " + gotten + " status=200", "byte 38: %t"},
		{`%h %t %{end}t "%r" %>s`, `192.0.2.1 @T ` + get + ` 200`, "client=192.0.2.1 " + gotten + " status=200", "byte 0: %h: the line has fewer"},
		{`%h %t "%r" %>s %{end}t`, `192.0.2.1 x @T ` + get + ` 200 @2`, "time=0 " + gotten + " status=200 end_time=1", "byte 0: %h: the line has more"},
		{`%h %t "%r" %>s %{end}t`, `192.0.2.1 @T ` + get + ` abc @2`, "client=192.0.2.1 time=0 " + gotten + " end_time=1", "%>s"},
		{`%t %h %{end}t`, `@T 192.0.2.1  @2`, "time=0 client=192.0.2.1 end_time=1", "%h"},
		// The time in the last place, and in the first.
		{`%h %u %t`, `192.0.2.1 bob @T x`, "client=192.0.2.1 user=bob time=0", "end of the format"},
		{`%t %h %u`, `x @T 192.0.2.1 bob`, "time=0 client=192.0.2.1 user=bob", "byte 0: %t"},
	})
}

func TestBlanksThatTheFormatDoesNotHaveAreInNoValue(t *testing.T) {
	const end = "time=0 " + gotten + " status=200 bytes=0 agent=curl"
	const rest = get + ` 200 0 "-" "curl"`
	checkCertain(t, []certainCase{
		{"combined", `192.0.2.1 -  -  @T ` + rest, "client=192.0.2.1 " + end, "byte 13: %u"},
		{"combined", `192.0.2.1 - joe  @T ` + rest, "client=192.0.2.1 " + end, "byte 12: %u"},
		{"combined", `192.0.2.1 -  joe @T ` + rest, "client=192.0.2.1 " + end, "byte 13: %u"},
		{"combined", `192.0.2.1  - joe @T ` + rest, "client=192.0.2.1 user=joe " + end, "byte 9: %h"},
		{"combined", ` 192.0.2.1 - joe @T ` + rest, "client=192.0.2.1 user=joe " + end, "byte 0: %h"},
		{"combined", "192.0.2.1\t-\tjoe\t@T " + rest, "client=192.0.2.1 " + end, "%"},
		{"combined", `192.0.2.1 - joe @T "GET /x HTTP/1.1"  200 0 "-" "curl"`, "client=192.0.2.1 user=joe " + end, "byte 62: %r"},
		{"combined", `192.0.2.1 - joe @T "GET /x HTTP/1.1" 200  0 "-" "curl"`, "client=192.0.2.1 user=joe " + end, "byte 66: %>s"},
		{"combined", `192.0.2.1 - joe @T "GET /x HTTP/1.1" 200 0  "-" "curl"`, "client=192.0.2.1 user=joe " + end, "byte 68: %b"},
		{"combined", `192.0.2.1 - joe @T "GET /x HTTP/1.1" 200 0 "-"  "curl"`, "client=192.0.2.1 user=joe " + end, "%{Referer}i"},
		{"combined", `192.0.2.1 - joe @T "GET /x HTTP/1.1" 200 0 "-" "curl" `, "client=192.0.2.1 user=joe " + end, "end of the format"},
		{"combined", `192.0.2.1 - Joe X @T ` + rest, "client=192.0.2.1 user=Joe X " + end, ""},
		{`%v %h %>s`, "www.example  192.0.2.1  200", "vhost=www.example client=192.0.2.1 status=200", "byte 11: %v"},
		{`%v %h %>s %b`, "www.example 192.0.2.1 200  ", "", "byte 0: %v: the line has fewer"},
		{"common", "192.0.2.1 - - @T " + get + " 200 5 ", "client=192.0.2.1 time=0 " + gotten + " status=200 bytes=5", "end of the format"},
	})
}

func TestUnquotedHeadersBesideEachOtherAreNullUnlessTheirBlanksAreCertain(t *testing.T) {
	const end = gotten + " status=200"
	checkCertain(t, []certainCase{
		{`%h %{Referer}i %{User-Agent}i "%r" %>s`, `192.0.2.1 http://x/ Mozilla/5.0 (X11; Linux) ` + get + ` 200`, "client=192.0.2.1 " + end, "byte 10: %{Referer}i: the line can be read"},
		{`%h %{Referer}i %{User-Agent}i "%r" %>s`, `192.0.2.1 http://x/ curl/8 ` + get + ` 200`, "client=192.0.2.1 referer=http://x/ agent=curl/8 " + end, ""},
		{`%h %{Referer}i %{User-Agent}i "%r" %>s`, `192.0.2.1 - curl/8 ` + get + ` 200`, "client=192.0.2.1 agent=curl/8 " + end, ""},
		{`%h %{Referer}i %{User-Agent}i`, `192.0.2.1 http://x/ Mozilla/5.0 (X11; Linux)`, "client=192.0.2.1", "byte 10"},
		{`%{Referer}i %{User-Agent}i %h`, `http://x/ Mozilla/5.0 (X11; Linux) 192.0.2.1`, "client=192.0.2.1", "byte 0"},
		{`%{Referer}i %>s %{User-Agent}i`, `http://x/ 200 curl`, "referer=http://x/ status=200 agent=curl", ""},
		{`%{Referer}i %>s %{User-Agent}i`, `http://x/ 200 Mozilla/5.0 (X11; Linux)`, "referer=http://x/ status=200 agent=Mozilla/5.0 (X11; Linux)", ""},
		{`%{Referer}i %>s %{User-Agent}i`, `http://x/ 200 Mozilla 300 x`, "", "byte 0"},
		{`%h "%r" %f %U`, `192.0.2.1 ` + get + ` /var/www/a /a`, "client=192.0.2.1 " + gotten + " filename=/var/www/a url_path=/a", ""},
		{`%h "%r" %f %U`, `192.0.2.1 ` + get + ` /var/www/a b /a b`, "client=192.0.2.1 " + gotten, "%f"},
		{"referer", "a -> b -> c", "", "byte 0"},
		{`%{A}i|%{B}i|%>s`, "a b|c d|200", "header_a=a b header_b=c d status=200", ""},
		{`%{A}i|%{B}i|%>s`, "a|b|c|200", "status=200", "byte 0"},
		{`%{A}i%{B}i %>s`, "ab 200", "", "byte 0: %{A}i: nothing separates"},
		{`"%m %U %H" %>s`, `"GET /a b HTTP/1.1" 200`, "method=GET path=/a b protocol=HTTP/1.1 status=200", ""},
		{`%t %r %>s`, `@T GET /a 200 b HTTP/1.1 200`, "time=0 method=GET path=/a 200 b protocol=HTTP/1.1 status=200", ""},
	})
}
