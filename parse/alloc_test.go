package parse

import (
	"strings"
	"testing"

	"sluice/schema"
)

func TestParsingDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("counted without the race detector: make plain")
	}
	const many = `%v:%p %a %A %l %u %{%d/%b/%Y %T}t.%{msec_frac}t %{end:usec}t "%m %U%q %H" %>s %s %b %D %{ms}T %X %k "%{Referer}i" %L %P`
	const manyLine = `www.example.com:80 2001:db8::1 192.0.2.1 - "" 17/May/2015 10:05:03.250 1431857103250000 "GET /a b?c HTTP/1.1" 200 302 - 12 3 + 0 "\"" - 42`
	for _, c := range []struct{ name, format, line string }{
		{"well-formed", "combined", benchLine},
		{"escaped", "combined", strings.ReplaceAll(benchLine, "Gecko", `\"Gecko\"\x00`)},
		{"a user with a space", "combined", strings.Replace(benchLine, "- -", "- a b", 1)},
		{"malformed", "combined", strings.Replace(benchLine, " 200 ", " abc ", 1)},
		{"truncated", "combined", benchLine[:150]},
		{"shifted", "combined", "www.example.com:80 " + benchLine},
		{"blank", "combined", ""},
		{"many directives", many, manyLine},
		{"many directives, malformed", many, manyLine[1:100]},
	} {
		f, err := Lookup(c.format, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		line := []byte(c.line)
		if n := testing.AllocsPerRun(100, func() { f.Parse(line, &rec) }); n != 0 {
			t.Errorf("%s: %v allocations a line", c.name, n)
		}
		if c.name == "many directives" && rec.Err.Set() {
			t.Error(dump(&rec))
		}
	}
}
