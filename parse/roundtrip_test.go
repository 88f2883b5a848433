package parse

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/schema"
)

var seed = flag.Uint64("seed", 0, "seed of the random lines; 0 is a new one each run")

// sent is a request, as the record should have it; nil is null.
type sent struct {
	client, ident, user, method, path, protocol, referer, agent *string
	time                                                        time.Time
	status, bytes                                               *int64
}

// escapeLikeApache is ap_escape_logitem.
func escapeLikeApache(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case strings.IndexByte("\b\n\r\t\v", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte("bnrtv"[strings.IndexByte("\b\n\r\t\v", c)])
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\x%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return escapeLikeApache(*s)
}

func intOrDash(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

// combined writes the line as Apache would.
func (s *sent) combined() string {
	request := "-"
	if s.method != nil {
		request = *s.method + " " + escapeLikeApache(*s.path)
		if s.protocol != nil {
			request += " " + *s.protocol
		}
	}
	user := orDash(s.user)
	if user == "" {
		user = `""`
	}
	return fmt.Sprintf(`%s %s %s %s "%s" %s %s "%s" "%s"`, *s.client, orDash(s.ident), user,
		s.time.Format("[02/Jan/2006:15:04:05 -0700]"), request, intOrDash(s.status), intOrDash(s.bytes), orDash(s.referer), orDash(s.agent))
}

func randomSent(rng *rand.Rand) *sent {
	one := func(all ...string) *string { return &all[rng.IntN(len(all))] }
	text := func(alphabet string, most int) string {
		var b strings.Builder
		for range rng.IntN(most + 1) {
			b.WriteByte(alphabet[rng.IntN(len(alphabet))])
		}
		return b.String()
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	const sly = "\"\"\\\\  [[]]--//??abc\x00\xff\n0:+"
	maybe := func(s string) *string {
		if rng.IntN(4) == 0 || s == "-" {
			return nil
		}
		return &s
	}
	number := func() *int64 {
		if rng.IntN(8) == 0 {
			return nil
		}
		n := rng.Int64N(1e18) >> rng.IntN(60)
		return &n
	}
	s := &sent{
		client: one("192.0.2.1", "255.255.255.255", "0.0.0.0", "2001:db8::1", "fe80::1%eth0", "a.example.com", "1.2.3.4.5.example.com", "::ffff:192.0.2.1"),
		user:   maybe(text("ab[]\\\"\xff", 8) + text("", 0)),
		time:   time.Unix(rng.Int64N(9e9), 0).In(time.FixedZone("", (rng.IntN(24*60)-12*60)*60)),
		status: number(), bytes: number(),
		referer: maybe(text(sly, 20)), agent: maybe(text(string(all), 40)),
	}
	if s.user != nil && *s.user != "" && rng.IntN(2) == 0 {
		name := "x" + *s.user + " " + text("ab [\"", 6) + "y"
		s.user = &name
	}
	if rng.IntN(8) > 0 {
		s.method = one("GET", "POST", "OPTIONS", "PROPFIND", "M-SEARCH", "x")
		path := "/" + text(sly, 30)
		s.path = &path
		s.protocol = one("HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/1.15")
		if rng.IntN(8) == 0 && !strings.Contains(path, " ") {
			s.protocol = nil
		}
	}
	return s
}

func TestApachesLinesHaveTheValuesThatWereSent(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	f, err := Lookup("combined", nil)
	if err != nil {
		t.Fatal(err)
	}
	var rec schema.Record
	for range 20_000 {
		s := randomSent(rng)
		line := s.combined()
		f.Parse([]byte(line), &rec)
		if rec.Err.Set() || !rec.Dated || rec.Time != s.time.Unix()*1e9 {
			t.Fatalf("%q\n%s", line, dump(&rec))
		}
		for name, want := range map[string]*string{
			"client": s.client, "ident": s.ident, "user": s.user, "method": s.method, "path": s.path,
			"protocol": s.protocol, "referer": s.referer, "agent": s.agent,
		} {
			i := rec.Index(name)
			if rec.Null(i) != (want == nil) || want != nil && string(rec.Bytes(i)) != *want {
				t.Fatalf("%q\n%s is %s", line, name, dumpValue(&rec, i))
			}
		}
		for name, want := range map[string]*int64{"status": s.status, "bytes": s.bytes} {
			i := rec.Index(name)
			if rec.Null(i) != (want == nil) || want != nil && rec.Values[i].Num != *want {
				t.Fatalf("%q\n%s is %s", line, name, dumpValue(&rec, i))
			}
		}
	}
}
