package parse

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/schema"
)

// fieldsOf lists a format's fields as "name:kind", derived ones in parentheses.
func fieldsOf(t *testing.T, format string) string {
	t.Helper()
	f, err := Lookup(format, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, field := range f.Fields() {
		s := fmt.Sprintf("%s:%s", field.Name, field.Kind)
		if field.Derived {
			s = "(" + s + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestEveryDirectiveHasItsFieldAndType(t *testing.T) {
	for _, c := range []struct{ format, fields, value, want string }{
		{`%a`, "client_ip:addr", "192.0.2.1", `"192.0.2.1" = 192.0.2.1`},
		{`%{c}a`, "peer_ip:addr", "2001:db8::1", `"2001:db8::1" = 2001:db8::1`},
		{`%A`, "local_ip:addr", "192.0.2.1", `"192.0.2.1" = 192.0.2.1`},
		{`%B`, "bytes:int", "0", "0"},
		{`%b`, "bytes:int", "-", "null"},
		{`%{Session-Id}C`, "cookie_session_id:text", `a\"b`, `"a\"b"`},
		{`%D`, "duration_us:int", "1234", "1234"},
		{`%{PATH}e`, "env_path:text", "-", "null"},
		{`%f`, "filename:text", "/var/www/a b", `"/var/www/a b"`},
		{`%F`, "flushed:text", "F", `"F"`},
		{`%F`, "flushed:text", "-", "null"},
		{`%h`, "client:addr", "host.example.com", `"host.example.com"`},
		{`%{c}h`, "peer:addr", "192.0.2.1", `"192.0.2.1" = 192.0.2.1`},
		{`%H`, "protocol:text", "HTTP/1.1", `"HTTP/1.1"`},
		{`%{Referer}i`, "referer:text", "", `""`},
		{`%{user-AGENT}i`, "agent:text", "x", `"x"`},
		{`%{X-Forwarded-For}i`, "header_x_forwarded_for:text", "192.0.2.1, 192.0.2.2", `"192.0.2.1, 192.0.2.2"`},
		{`%I`, "bytes_in:int", "77", "77"},
		{`%k`, "keepalive:int", "3", "3"},
		{`%l`, "ident:text", "-", "null"},
		{`%L`, "log_id:text", "aGVsbG8", `"aGVsbG8"`},
		{`%{c}L`, "connection_log_id:text", "aGVsbG8", `"aGVsbG8"`},
		{`%m`, "method:text", "GET", `"GET"`},
		{`%{mod_x}n`, "note_mod_x:text", "y", `"y"`},
		{`%{Content-Type}o`, "response_content_type:text", "text/html; charset=utf-8", `"text/html; charset=utf-8"`},
		{`%O`, "bytes_out:int", "5", "5"},
		{`%p`, "port:int", "443", "443"},
		{`%{canonical}p`, "port:int", "443", "443"},
		{`%{local}p`, "local_port:int", "443", "443"},
		{`%{remote}p`, "client_port:int", "54321", "54321"},
		{`%P`, "pid:int", "4711", "4711"},
		{`%{pid}P`, "pid:int", "4711", "4711"},
		{`%{tid}P`, "tid:int", "140234567890123", "140234567890123"},
		{`%{hextid}P`, "tid_hex:text", "7f8a", `"7f8a"`},
		{`%q`, "query:text", "?a=b", `"a=b"`},
		{`%q`, "query:text", "", "null"},
		{`%q`, "query:text", "?", `""`},
		{`%q`, "query:text", "?-", `"-"`},
		{`%R`, "handler:text", "proxy-server", `"proxy-server"`},
		{`%s`, "status:int", "302", "302"},
		{`%>s`, "status:int", "200", "200"},
		{`%S`, "bytes_total:int", "82", "82"},
		{`%t`, "time:time", "[17/May/2015:10:05:03 +0000]", "1431857103000000000"},
		{`%T`, "duration_s:int", "2", "2"},
		{`%{s}T`, "duration_s:int", "2", "2"},
		{`%{ms}T`, "duration_ms:int", "2", "2"},
		{`%{us}T`, "duration_us:int", "2", "2"},
		{`%u`, "user:text", `""`, `""`},
		{`%U`, "path:text", "/a b", `"/a b"`},
		{`%v`, "vhost:text", "www.example.com", `"www.example.com"`},
		{`%V`, "server_name:text", "www.example.com", `"www.example.com"`},
		{`%X`, "connection:text", "-", `"-"`},
		{`%X`, "connection:text", "+", `"+"`},
		{`%{X-Checksum}^ti`, "trailer_x_checksum:text", "x", `"x"`},
		{`%{X-Checksum}^to`, "response_trailer_x_checksum:text", "x", `"x"`},
		{`%^FB`, "first_byte_us:int", "99", "99"},
		{`%^FU`, "first_upload_us:int", "-", "null"},
		{`%{SSL_PROTOCOL}x`, "ssl_protocol:text", "TLSv1.3", `"TLSv1.3"`},
		{`%{version}c`, "ssl_version:text", "TLSv1.3", `"TLSv1.3"`},
		{`%400,501{User-agent}i`, "agent:text", "-", "null"},
		{`%!200,304,302{Referer}i`, "referer:text", "x", `"x"`},
		{`%200b`, "bytes:int", "-", "null"},
		{`%200t`, "time:time", "-", "null"},
		{`%200{%s}t`, "time:time", "-", "null"},
		{`%200q`, "query:text", "-", "null"},
		{`%200X`, "connection:text", "-", `"-"`},
	} {
		if got := fieldsOf(t, c.format); got != c.fields {
			t.Errorf("%s: fields %s, want %s", c.format, got, c.fields)
		}
		// On its own, between other values, in quotes, and after a percent sign.
		for _, around := range [][2]string{{"", ""}, {"%p ", " %%x"}, {`%p "`, `" %D`}, {"%% ", "|"}} {
			f, err := Compile(around[0] + c.format + around[1])
			if err != nil {
				t.Fatal(err)
			}
			line := strings.NewReplacer("%p", "80", "%D", "7", "%%", "%").Replace(around[0]) + c.value +
				strings.NewReplacer("%D", "7", "%%", "%").Replace(around[1])
			var rec schema.Record
			f.Parse([]byte(line), &rec)
			i := strings.Count(around[0], "%p")
			for rec.Fields[i].Directive != c.format {
				i++
			}
			if got := dumpValue(&rec, i); got != c.want || rec.Err.Set() {
				t.Errorf("%s of %q: got %s, %v, want %s", f, line, got, rec.Err, c.want)
			}
		}
	}
}

func TestFieldNamesAreUniqueAndNameTheRequest(t *testing.T) {
	for _, c := range []struct{ format, fields string }{
		{`%s %>s`, "original_status:int status:int"},
		{`%>s %s`, "status:int original_status:int"},
		{`%<s %>s`, "original_status:int status:int"},
		{`%b %B`, "bytes:int bytes_2:int"},
		{`%D %{us}T`, "duration_us:int duration_us_2:int"},
		{`%p %{canonical}p %p`, "port:int port_2:int port_3:int"},
		{`%{a-b}i %{a_b}i`, "header_a_b:text header_a_b_2:text"},
		{`%v %V`, "vhost:text server_name:text"},
		{`"%r" %U`, "method:text path:text protocol:text (query:text) (request:text) url_path:text"},
		{`%U "%r"`, "url_path:text method:text path:text protocol:text (query:text) (request:text)"},
		{`"%r" %m %H %q`, "path:text (request:text) method:text protocol:text query:text"},
		{`%m %U%q %H`, "method:text path:text query:text protocol:text"},
		{`%t %{msec_frac}t`, "time:time"},
		{`%{begin:%s}t %{end:%s}t`, "time:time end_time:time"},
		{"combined", "client:addr ident:text user:text time:time method:text path:text protocol:text (query:text) (request:text) status:int bytes:int referer:text agent:text"},
	} {
		if got := fieldsOf(t, c.format); got != c.fields {
			t.Errorf("%s:\n got %s\nwant %s", c.format, got, c.fields)
		}
	}
}

func TestPathHasItsQuery(t *testing.T) {
	f, err := Compile(`%v %m %U%q %H`)
	if err != nil {
		t.Fatal(err)
	}
	var rec schema.Record
	for _, c := range [][3]string{
		{"/a b?c=d e", `"/a b?c=d e"`, `"c=d e"`},
		{`/a\"b?c`, `"/a\"b?c"`, `"c"`},
		{"/a", `"/a"`, "null"},
	} {
		f.Parse([]byte("example.com GET "+c[0]+" HTTP/1.1"), &rec)
		if path, query := dumpValue(&rec, 2), dumpValue(&rec, 3); path != c[1] || query != c[2] {
			t.Errorf("%s: path %s, query %s", c[0], path, query)
		}
	}
}

func TestBadFormatsReportWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ format, message string }{
		{"", "no directive"},
		{"plain text", "has no directive"},
		{"100%%", "has no directive"},
		{"%h %", "ends within a directive"},
		{"%h %>", "ends within a directive"},
		{"%{Referer i", "no closing brace"},
		{"%{Referer}", "ends within a directive"},
		{"%Z", "no directive %Z"},
		{"%i", "needs a name in braces"},
		{"%{}C", "needs a name in braces"},
		{"%{hours}T", `no "hours"`},
		{"%{remote_port}p", `no "remote_port"`},
		{"%^XX", "no directive %^XX"},
		{"%^", "no directive %^"},
		{"%{%Q}t", "strftime knows no %Q"},
		{"%{%}t", "ends within a strftime"},
	} {
		f, err := Compile(c.format)
		if f != nil || !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%q: %v, want %q", c.format, err, c.message)
		}
	}
	if _, err := Lookup("combinde", nil); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "vhost_combined") {
		t.Errorf("a name that is no nickname: %v", err)
	}
}

func TestLiteralsAreReadAsHttpdReadsThem(t *testing.T) {
	for _, c := range []struct{ format, line string }{
		{`\"%r\" %s`, `"GET / HTTP/1.1" 200`},
		{`"%r"\t%s`, "\"GET / HTTP/1.1\"\t200"},
		{`"%r" \\%s`, `"GET / HTTP/1.1" \200`},
		{`"%r" \q%s`, `"GET / HTTP/1.1" \q200`},
		{`[%r] %% %s`, `[GET / HTTP/1.1] % 200`},
	} {
		f, err := Compile(c.format)
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		f.Parse([]byte(c.line), &rec)
		if rec.Err.Set() || rec.Values[rec.Index("status")].Num != 200 || string(rec.Bytes(rec.Index("path"))) != "/" {
			t.Errorf("%s: %s", c.format, dump(&rec))
		}
	}
}
