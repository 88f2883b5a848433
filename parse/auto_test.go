package parse

import (
	"errors"
	"strings"
	"testing"
)

func TestAutoFindsTheFormat(t *testing.T) {
	const common = `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5`
	const combined = common + ` "-" "curl/8.5.0"`
	const torn = `192.0.2.1 - - [17/Ma`
	for _, c := range []struct{ name, head string }{
		{"common", common},
		{"combined", combined},
		{"combinedio", combined + " 10 20"},
		{"vhost_common", "www.example.com " + common},
		{"vhost_combined", "www.example.com:80 " + combined},
		{"vhost_combined", "[2001:db8::1]:80 " + combined},
		{"referer", "http://example.com/ -> /a"},
		{"combined", torn + "\n" + combined + "\n\n" + combined + "\n" + torn},
		{"combined", combined + "\r\n" + combined + "\r\n"},
		{"combined", strings.Repeat(combined+"\n", 200)},
	} {
		f, err := Auto([]byte(c.head), nil)
		if err != nil || f.String() != c.name {
			t.Errorf("%.60q: %v, %v, want %s", c.head, f, err, c.name)
		}
	}
}

// TestAutoFindsEnvelopes checks common texts before and after the lines.
func TestAutoFindsEnvelopes(t *testing.T) {
	const common = `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5`
	const combined = common + ` "-" "curl/8.5.0"`
	const combinedFormat = `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`
	for _, c := range []struct{ head, name string }{
		{combined + " \n" + combined + " \n", combinedFormat + " "},
		{combined + "\t\r\n" + combined + "\t\r\n", combinedFormat + "\t"},
		{common + " \n", `%h %l %u %t "%r" %>s %b `},
		{"www.example.com " + combined + "\n", "%v " + combinedFormat},
		{"www.example.com " + combined + " \n", "%v " + combinedFormat + " "},
		{combined + ` "-"` + "\n" + combined + ` "198.51.100.9, 2001:db8::1"` + "\n", combinedFormat + ` "%{X-Forwarded-For}i"`},
		{"www.example.com " + combined + ` "198.51.100.9"` + "\n", "%v " + combinedFormat + ` "%{X-Forwarded-For}i"`},
		{combined + ` "198.51.100.9" "example.com"` + "\n", combinedFormat + ` "%{X-Forwarded-For}i" "%{extra}n"`},
		// The line does not show which header that is.
		{combined + ` "-"` + "\n", combinedFormat + ` "%{extra}n"`},
		{combined + ` "sid=1"` + "\n" + combined + ` "198.51.100.9"` + "\n", combinedFormat + ` "%{extra}n"`},
		{combined + " 4711\n" + combined + " 12\n", combinedFormat + ` %{extra}n`},
		{combined + ` 0 "x" 12/0` + "\n", combinedFormat + ` %{extra}n "%{extra}n" %{extra}n`},
		{combined + ` "198.51.100.9" 4711` + "\n", combinedFormat + ` "%{X-Forwarded-For}i" %{extra}n`},
		{combined + ` 4711 "198.51.100.9"` + "\n", combinedFormat + ` %{extra}n "%{X-Forwarded-For}i"`},
		{"\ufeff" + combined + "\n" + combined + "\n", "combined"},
		{"\n\n" + combined + "\n", "combined"},
		// Half of the lines are enough.
		{combined + "\n" + combined + "\nnot a line\n", "combined"},
		{docker(combined) + "\n", "docker:combined"},
		{docker(combined+" 4711") + "\r\n" + docker("[notice] resuming"), "docker:" + combinedFormat + ` %{extra}n`},
		{"<134>Oct 11 22:14:15 web httpd[1]: " + common + "\n", "syslog:common"},
		{"<134>1 2026-01-01T00:00:00Z web httpd 1 - - \ufeff" + combined + "\n", "syslog:combined"},
		{"2026-01-01T00:00:00.000000000Z stdout F " + combined + "\n2026-01-01T00:00:00.000000000Z stderr F [notice] resuming\n", "cri:combined"},
	} {
		f, err := Auto([]byte(c.head), nil)
		if err != nil || f.String() != c.name {
			t.Errorf("%.100q:\n%v, %v, want\n%s", c.head, f, err, c.name)
			continue
		}
		// The format's text compiles to the same format.
		if again, err := Lookup(f.String(), nil); err != nil || again.String() != f.String() {
			t.Errorf("%s: %v, %v", f, again, err)
		}
	}
}

// TestAutoReportsWhatIsWrong in one sentence, with the first line as an example.
func TestAutoReportsWhatIsWrong(t *testing.T) {
	for head, want := range map[string]string{
		"\nMay 17 kernel: something\nmore\n": `no format that is known reads any of the first 2 lines; its first line is "May 17 kernel: something" (as combined: byte 15: `,
		"{\"a\": 1}\r\n":                     `its lines are JSON, which is not read, such as "{\"a\": 1}"`,
		strings.Repeat("x", 5000):            `"` + strings.Repeat("x", 200) + `"`,
		"\x1b[31m\xff\n":                     `"\x1b[31m\xff"`,
	} {
		_, err := Auto([]byte(head), nil)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.100q: %v, want %s", head, err, want)
		}
	}
}

func TestAutoOfAnotherFormatIsAnErrorAndCombined(t *testing.T) {
	f, err := Auto([]byte("{\"json\": true}\n{\"json\": true}\n"), nil)
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "--pattern") || f == nil || f.String() != "combined" {
		t.Errorf("%v, %v", f, err)
	}
	if f, err := Auto(nil, nil); err != nil || f.String() != "combined" {
		t.Errorf("of an empty file: %v, %v", f, err)
	}
}

func TestEveryNameCompilesToItself(t *testing.T) {
	for _, name := range append(Names(), `%h "%r"`, `pattern:(?P<a>.)`) {
		f, err := Lookup(name, nil)
		if err != nil || f.String() != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}
