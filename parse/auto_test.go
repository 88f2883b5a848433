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
