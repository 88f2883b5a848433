package parse

import (
	"strings"
	"testing"

	"sluice/schema"
)

func TestTwoLinesWithoutANewlineAreNotMixed(t *testing.T) {
	const first = `192.0.2.1 - bob @T "GET /x HTTP/1.1" 200`
	const second = `192.0.2.2 - joe @2 "GET /y HTTP/1.1" 404 3217 "-" "wget"`
	const firstCertain = "client=192.0.2.1 user=bob time=0 " + gotten
	checkCertain(t, []certainCase{
		{"combined", first + second, firstCertain, "%>s: the text behind"},
		{"combined", first + " " + second, firstCertain + " status=200", "%b: the text behind"},
		{"combined", first + " 5" + second, firstCertain + " status=200", "%b: the text behind"},
		{"combined", first + " 5 " + second, firstCertain + " status=200 bytes=5", "%"},
		{"combined", first + ` 5 "http://a/` + second, firstCertain + " status=200 bytes=5", "%{Referer}i"},
		{"combined", first + ` 5 "http://a/" "cur` + second, firstCertain + " status=200 bytes=5 referer=http://a/", "%"},
		{"combined", first + ` 5 "http://a/" "curl"` + second, firstCertain + " status=200 bytes=5 referer=http://a/ agent=curl", "end of the format"},
		{"combined", `192.0.2.1 - bob @T "GET /x HT` + second, "client=192.0.2.1 user=bob time=0", "%r"},
		{"combined", `192.0.2.1 - bob @T ` + second, "method=GET path=/y protocol=HTTP/1.1 status=404 bytes=3217 agent=wget", "byte 0: %h: the line has more"},
		{"combined", `192.0.2.1 - bo` + second, "time=1 method=GET path=/y protocol=HTTP/1.1 status=404 bytes=3217 agent=wget", "byte 0: %h"},
		{"combined", first + "\x00\x00\x00\x00" + second, firstCertain, "%>s: the text behind"},
		{"combined", `192.0.2.1 - bob @T "GET /x` + "\x00\x00\x00" + second, "client=192.0.2.1 user=bob time=0", "%r"},
		{"combined", "\x00\x00\x00" + second, "user=joe time=1 method=GET path=/y protocol=HTTP/1.1 status=404 bytes=3217 agent=wget", "byte 0: %h: an address"},
		{"common", first + second[:strings.Index(second, ` "-"`)], firstCertain, "%>s: the text behind"},
		// It ends after an escaped quote.
		{"combined", `192.0.2.1 - bob @T "GET /x HTTP/1.1" 200 1 "-" "a \"`, firstCertain + " status=200 bytes=1", "%{User-Agent}i: no closing quote"},
		{"combined", `192.0.2.1 - bob @T "GET /x HTTP/1.1" 200 1 "-" "a \\"`, firstCertain + ` status=200 bytes=1 agent=a \`, ""},
		{"combined", `192.0.2.1 - bob @T "GET /x HTTP/1.1" 200 1 "a\"`, firstCertain + " status=200 bytes=1", "%{Referer}i: no closing quote"},
		{`%h "%{Referer}i" %t "%r"`, `192.0.2.1 "a \" @T ` + get, "client=192.0.2.1 time=0 " + gotten, "%{Referer}i"},
		{`%h "%r"`, `192.0.2.1 "GET / HTTP/1.1\"`, "client=192.0.2.1", "%r"},
		// A quote that is not escaped is part of a request only if no other reading is possible.
		{"common", `192.0.2.1 - bob @T "GET /x HTTP/1.1" 20"GET /y HTTP/1.1" 404 3217`, "client=192.0.2.1 user=bob time=0", "%>s"},
		{"common", `192.0.2.1 - bob @T "x" "GET /y HTTP/1.1" 404 3217`, "client=192.0.2.1 user=bob time=0", "%>s"},
		{"common", `192.0.2.1 - bob @T "GET /?q="a" "b" HTTP/1.1" 404 3217`, `client=192.0.2.1 user=bob time=0 method=GET path=/?q="a" "b" protocol=HTTP/1.1 status=404 bytes=3217`, ""},
		{"combined", first + ` 5 "a" "b" "c"`, firstCertain + " status=200 bytes=5", "%{Referer}i: the line can be read"},
		{"combined", first + ` 5 "a"b" "c"`, firstCertain + ` status=200 bytes=5 referer=a"b agent=c`, ""},
	})
}

// At whatever byte one line ends and another begins, all values are of one of the two lines.
func TestNoRowHasValuesOfTwoLines(t *testing.T) {
	formats := map[string][2]string{
		"combined": {`198.51.100.23 - alice [17/May/2015:10:05:03 +0000] "GET /alpha HTTP/1.0" 201 5043 "http://a.example/" "curl/1"`,
			`203.0.113.9 - bob [18/May/2015:11:06:04 +0000] "POST /beta?b HTTP/1.1" 404 77 "http://b.example/" "wget/2 (x y)"`},
		"vhost_combined": {`a.example:80 198.51.100.23 - - [17/May/2015:10:05:03 +0000] "GET /alpha HTTP/1.0" 201 5043 "http://a.example/" "curl/1"`,
			`b.example:443 2001:db8::9 - bob [18/May/2015:11:06:04 +0000] "POST /beta?b HTTP/1.1" 404 77 "http://b.example/" "wget/2 (x y)"`},
		"common": {`198.51.100.23 - alice [17/May/2015:10:05:03 +0000] "GET /alpha HTTP/1.0" 201 5043`,
			`203.0.113.9 - bob [18/May/2015:11:06:04 +0000] "POST /beta?b HTTP/1.1" 404 77`},
		`%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D %{X-Forwarded-For}i`: {`198.51.100.23 - alice [17/May/2015:10:05:03 +0000] "GET /alpha HTTP/1.0" 201 5043 "http://a.example/" "curl/1" 12 192.0.2.7`,
			`203.0.113.9 - bob [18/May/2015:11:06:04 +0000] "POST /beta?b HTTP/1.1" 404 77 "http://b.example/" "wget/2 (x y)" 34 192.0.2.8, 192.0.2.9`},
	}
	for format, lines := range formats {
		f, err := Lookup(format, nil)
		if err != nil {
			t.Fatal(err)
		}
		var own [2]schema.Record
		for i, line := range lines {
			if f.Parse([]byte(line), &own[i]); own[i].Err.Set() {
				t.Fatal(own[i].Err)
			}
		}
		for k := 1; k < len(lines[0]); k++ {
			for _, joined := range []string{lines[0][:k] + lines[1], lines[0][:k] + "\x00\x00" + lines[1], lines[0][k:] + lines[1]} {
				var rec schema.Record
				f.Parse([]byte(joined), &rec)
				checkRecord(t, f, []byte(joined), &rec)
				if k < strings.IndexByte(lines[0], ' ') { // what looks like a name may be one
					rec.Values[0] = schema.Value{}
				} else if !rec.Err.Set() {
					t.Errorf("no error\n%q\n%s", joined, dump(&rec))
				}
				var of [2]int
				values := 0
				for i := range rec.Fields {
					if rec.Null(i) {
						continue
					}
					values++
					for j := range own {
						if dumpValue(&rec, i) == dumpValue(&own[j], i) {
							of[j]++
						}
					}
				}
				if of[0] != values && of[1] != values {
					t.Errorf("%d values, %v of the two lines\n%q\n%s", values, of, joined, dump(&rec))
				}
			}
		}
	}
}
