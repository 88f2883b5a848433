package parse

import (
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/schema"
)

// logged are values that Apache may write for each directive, before it escapes
// them; "-" is null.
var logged = map[string][]string{
	"%h":  {"192.0.2.1", "2001:db8::1", "::1", "localhost", "a.example", "-", "host_1", "1.2.3.4.example"},
	"%a":  {"192.0.2.1", "2001:db8::1", "fe80::1%eth0"},
	"%l":  {"-", "a", "x_y"},
	"%v":  {"www.example", "localhost", "192.0.2.9"},
	"%u":  {"-", "joe", "joe b", "", "J. Q. P", "a, b"},
	"%m":  {"GET", "POST", "-"},
	"%X":  {"+", "-", "X"},
	"%>s": {"200", "404", "-"}, "%b": {"-", "0", "12345678"}, "%D": {"7", "1234567890"}, "%p": {"80", "443"},
	"%t": {"[25/Jun/2017:10:14:35 +0000]", "[05/Jun/2017:10:14:35 +0200]"},
	"%r": {"GET / HTTP/1.1", "GET /a b HTTP/1.1", "-", "", "\x16\x03\x01", "GET /?x=y HTTP/1.0", `GET /"x HTTP/2.0`, "GET /"},
}

// texts are values of headers, cookies and file names.
var texts = []string{
	"-", "a", "a b", "b, c", "x,y", "7", "7 8", "192.0.2.1", "192.0.2.1, 198.51.100.2", `"q"`, `"`, `a\`, "", "- x", "x -", "x - y", "?", "a?b", "[x]",
	"a; b=c", "http://x/?a=b", "Mozilla/5.0 (X11; Linux)", "GET / HTTP/1.1", "[24/Jun/2017:10:14:35 +0000]", "|", "a|b", ":", "a:1", "=", `" 200 1`,
}

// between are the texts between two directives.
var between = []string{" ", " ", " ", " ", " ", `" "`, ` "`, `" `, "|", ",", ";", ": ", " - ", "", ":", "\t", ` x=`, `" y="`, "] [", " ["}

// anyLine makes a format and a line as Apache writes it by that format, and
// returns the value of each directive, too.
func anyLine(rng *rand.Rand) (format, line string, values []string) {
	directives := strings.Fields("%h %a %l %v %u %m %X %>s %b %D %p %t %r %{A}i %{B}i %{C}C %{D}o %f")
	rng.Shuffle(len(directives), func(i, j int) { directives[i], directives[j] = directives[j], directives[i] })
	var f, l strings.Builder
	quoted := false
	literal := func(all ...string) {
		s := all[rng.IntN(len(all))]
		for quoted != strings.HasPrefix(s, `"`) { // a quote opens a value, and the next one closes it
			s = between[rng.IntN(len(between))]
		}
		quoted = quoted != (strings.Count(s, `"`)&1 == 1)
		f.WriteString(s)
		l.WriteString(s)
	}
	literal("", "", "", "[", "x=", `x "`)
	for i, d := range directives[:2+rng.IntN(6)] {
		if i > 0 {
			literal(between...)
		}
		all := logged[d]
		if all == nil {
			all = texts
		}
		value := all[rng.IntN(len(all))]
		f.WriteString(d)
		if d == "%u" && value == "" {
			l.WriteString(`""`)
		} else {
			l.WriteString(escapeLikeApache(value))
		}
		values = append(values, value)
	}
	if quoted {
		literal(`"`)
	} else {
		literal("", "", "]", "|")
	}
	return f.String(), l.String(), values
}

// A format may separate its values by any text, or by none. No value is read as another one without
// an error.
func TestWhatApacheWritesByAnyFormatIsReadRightOrNull(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	var rec schema.Record
	right, all := 0, 0
	for range 30_000 {
		format, line, values := anyLine(rng)
		f, err := Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		f.Parse([]byte(line), &rec)
		checkRecord(t, f, []byte(line), &rec)
		if all += len(values); rec.Err.Set() {
			continue
		}
		for i, want := range values {
			s := &f.steps[i]
			got := string(rec.Bytes(s.field))
			if null := want == "-" && s.op != opByte; null != rec.Null(s.field) || !null && got != strings.Trim(want, map[bool]string{true: "[]"}[s.op == opTime]) {
				t.Fatalf("%s is %q, not %q (-seed %d)\n%s\n%q", s.directive, got, want, *seed, format, line)
			}
			right++
		}
	}
	if right < all/2 {
		t.Errorf("%d of %d values are read", right, all)
	}
}
