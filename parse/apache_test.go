package parse

import (
	"flag"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/schema"
)

var sample = flag.String("sample", "", "copy the log that Apache writes in combined format to this file")

// apacheFormats are what Apache logs each request with.
var apacheFormats = map[string]string{
	"combined":       nicknames["combined"],
	"vhost_combined": nicknames["vhost_combined"],
	"times":          `%{begin:%Y-%m-%d}t %{begin:%H:%M:%S}t.%{begin:usec_frac}t %{%z}t %{end:usec}t %{remote}p %D %{ms}T %{s}T %T %{%c}t`,
	"parts": `%a %{c}a %A %p %{local}p %{remote}p %l %u "%m" "%U" "%q" "%H" %s %>s %B %b %k %X %I %O %S %v %V %P %{tid}P ` +
		`%{hextid}P %L %{c}L %R "%f" "%{Referer}i" "%{User-Agent}i" "%{COLOUR}e" "%{X-Odd}o" "%{none}n" "%{none}C" %{UNIQUE_ID}e %400b %!400b %t %^FB`,
	"forwarded": `%v %h %{X-Forwarded-For}i %l %u %t "%r" %>s "%{Referer}i" "%{User-Agent}i"`,
	"interval":  `%h %l %u %t %{end}t "%r" %>s "%{Referer}i" "%{User-Agent}i" %D`,
	"bare":      `%a:%{remote}p %U%q %X %k %D %{ms}T %L %P`,
}

// What Debian's Apache writes is read as what was sent to it.
func TestAgainstApache(t *testing.T) {
	h := startHttpd(t, apacheFormats, map[string]string{
		"index.html": strings.Repeat("<p>A sluice is the gate of a flume.</p>\n", 40), "logo.png": strings.Repeat("png", 700),
		"blog/index.html": "<h1>Blog</h1>", "blog/2026/harvest.html": strings.Repeat("water ", 900), "robots.txt": "User-agent: *\n",
		"favicon.ico": "", "a": "a",
	})
	sent := hostile()
	sent = append(sent, visitors(rand.New(rand.NewPCG(2026, 11)), 300)...)
	h.send(t, sent)
	h.stop(t)
	for name := range apacheFormats {
		if n := len(h.lines(t, name)); n != len(sent) {
			t.Fatalf("%s.log has %d lines of %d requests", name, n, len(sent))
		}
	}
	t.Run("combined", func(t *testing.T) { compareAll(t, h, "combined", sent, compareCombined) })
	t.Run("vhost_combined", func(t *testing.T) { compareAll(t, h, "vhost_combined", sent, compareVhost) })
	t.Run("times", func(t *testing.T) { compareAll(t, h, "times", sent, compareTimes) })
	t.Run("parts", func(t *testing.T) { compareAll(t, h, "parts", sent, compareParts) })
	t.Run("forwarded", func(t *testing.T) { compareAll(t, h, "forwarded", sent, compareForwarded) })
	t.Run("interval", func(t *testing.T) { compareAll(t, h, "interval", sent, compareInterval) })
	t.Run("bare", func(t *testing.T) { compareAll(t, h, "bare", sent, compareBare) })
	if *sample != "" && !t.Failed() {
		text, err := os.ReadFile(filepath.Join(h.root, "combined.log"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(*sample, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func compareAll(t *testing.T, h *httpd, name string, sent []*exchange, compare func(*checker, *exchange)) {
	f, err := Compile(strings.ReplaceAll(apacheFormats[name], `"`, `\"`)) // as the configuration has it
	if err != nil {
		t.Fatal(err)
	}
	zoned, err := Lookup(apacheFormats[name], time.FixedZone("CET", 3600))
	if err != nil {
		t.Fatal(err)
	}
	var rec, other schema.Record
	for i, line := range h.lines(t, name) {
		zoned.Parse([]byte(line), &rec)
		f.Parse([]byte(line), &other)
		c := &checker{t: t, rec: &rec}
		if rec.Err.Set() && !(name == "forwarded" && sent[i].blanks()) {
			t.Errorf("request %d: %v", i, rec.Err)
		}
		if other.Err != rec.Err || len(other.Fields) != len(rec.Fields) {
			t.Errorf("request %d: the configuration's spelling reads otherwise", i)
		}
		compare(c, sent[i])
		if t.Failed() {
			t.Fatalf("request %d, sent %.300q\n%.600s", i, sent[i].raw, line)
		}
	}
}

// checker compares fields of one record by name.
type checker struct {
	t   *testing.T
	rec *schema.Record
}

func (c *checker) text(name string, want *string) {
	c.t.Helper()
	if want != nil && *want == "-" { // a log has the same text for null
		want = nil
	}
	if i := c.rec.Index(name); c.rec.Null(i) != (want == nil) || want != nil && string(c.rec.Bytes(i)) != *want {
		c.t.Errorf("%s is %s", name, dumpValue(c.rec, i))
	}
}

func (c *checker) number(name string, want int64) {
	c.t.Helper()
	if i := c.rec.Index(name); c.rec.Null(i) || c.rec.Values[i].Num != want {
		c.t.Errorf("%s is %s, not %d", name, dumpValue(c.rec, i), want)
	}
}

func (c *checker) between(name string, low, high int64) {
	c.t.Helper()
	if i := c.rec.Index(name); c.rec.Null(i) || c.rec.Values[i].Num < low || c.rec.Values[i].Num > high {
		c.t.Errorf("%s is %s, not of %d to %d", name, dumpValue(c.rec, i), low, high)
	}
}

func (c *checker) null(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.text(name, nil)
	}
}

// parts splits the request that was sent into method, path and protocol.
func (e *exchange) parts() (method, path, query, protocol *string) {
	if e.request == nil {
		return
	}
	m, rest, two := strings.Cut(*e.request, " ")
	if m == "" || strings.IndexFunc(m, func(r rune) bool { return r < 'A' || r > 'z' }) >= 0 {
		return
	}
	method = &m
	if !two {
		return
	}
	if i := strings.LastIndex(rest, " HTTP/"); i >= 0 {
		p := rest[i+1:]
		protocol, rest = &p, rest[:i]
	}
	path = &rest
	if _, q, ok := strings.Cut(rest, "?"); ok {
		query = &q
	}
	return
}

func compareRequest(c *checker, e *exchange) {
	c.t.Helper()
	method, path, query, protocol := e.parts()
	c.text("request", e.request)
	c.text("method", method)
	c.text("path", path)
	c.text("query", query)
	c.text("protocol", protocol)
	c.text("client", &e.client)
	c.text("user", e.user)
	c.text("referer", e.referer)
	c.text("agent", e.agent)
	c.null("ident")
	if addr, ok := c.rec.Addr(c.rec.Index("client")); !ok || addr.String() != e.client {
		c.t.Errorf("client is the address %v", addr)
	}
	if e.status != 0 {
		c.number("status", e.status)
	}
	c.between("time", e.before.Unix()*1e9, e.after.Unix()*1e9)
	if c.rec.ZoneSeconds != 3600 {
		c.t.Errorf("zone %d", c.rec.ZoneSeconds)
	}
}

func compareCombined(c *checker, e *exchange) {
	compareRequest(c, e)
	if e.body == 0 {
		c.null("bytes")
	} else {
		c.number("bytes", e.body)
	}
}

func compareVhost(c *checker, e *exchange) {
	compareRequest(c, e)
	c.text("vhost", str("www.example.com"))
	c.number("port", 80)
	if e.bare {
		c.number("bytes_out", e.body)
	} else {
		c.between("bytes_out", e.body+1, e.body+2000)
	}
}

// blanks reports whether a line with the user and the addresses without quotes is ambiguous, because
// one of them has blanks.
func (e *exchange) blanks() bool {
	return e.user != nil && strings.Contains(*e.user, " ") || e.forwarded != nil && strings.Contains(strings.ReplaceAll(*e.forwarded, ", ", ","), " ")
}

// compareForwarded compares values without quotes: each is as it was sent, or null if the line is
// ambiguous.
func compareForwarded(c *checker, e *exchange) {
	list, user := c.rec.Index("header_x_forwarded_for"), c.rec.Index("user")
	if e.blanks() {
		if !c.rec.Err.Set() || !c.rec.Null(list) || !c.rec.Null(user) {
			c.t.Errorf("%s and %s, error %v", dumpValue(c.rec, list), dumpValue(c.rec, user), c.rec.Err)
		}
		other := *e
		other.user = nil
		e = &other
	} else {
		c.text("header_x_forwarded_for", e.forwarded)
	}
	compareRequest(c, e)
	c.text("vhost", str("www.example.com"))
}

func compareInterval(c *checker, e *exchange) {
	compareRequest(c, e)
	c.between("end_time", c.rec.Time, e.after.Unix()*1e9+2e9)
	took := (c.rec.Values[c.rec.Index("end_time")].Num - c.rec.Time) / 1e3
	c.between("duration_us", took-1e6, took+1e6)
}

func compareTimes(c *checker, e *exchange) {
	micros := func(t time.Time) int64 { return t.UnixMicro() * 1e3 }
	c.between("time", micros(e.before), micros(e.after))
	c.between("end_time", micros(e.before), micros(e.after)+1e9)
	time, end := c.rec.Values[c.rec.Index("time")].Num, c.rec.Values[c.rec.Index("end_time")].Num
	took := (end - time) / 1e3
	c.between("duration_us", took-5000, took+5000)
	c.between("duration_ms", took/1e3-5, took/1e3+5)
	c.between("duration_s", took/1e6-1, took/1e6+1)
	c.between("duration_s_2", took/1e6-1, took/1e6+1)
	c.port(e)
	if c.rec.ZoneSeconds != 3600 || c.rec.Time != time {
		c.t.Errorf("zone %d, time %d", c.rec.ZoneSeconds, c.rec.Time)
	}
}

func (c *checker) port(e *exchange) {
	c.t.Helper()
	n, err := strconv.ParseInt(e.port, 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	if e.client == "127.0.0.1" || e.client == "::1" { // mod_remoteip has no port for another
		c.number("client_port", n)
	}
}

func compareBare(c *checker, e *exchange) {
	c.text("client_ip", &e.client)
	c.port(e)
	c.number("keepalive", e.keepalive)
	if s := dumpValue(c.rec, c.rec.Index("connection")); s != `"+"` && s != `"-"` && s != `"X"` {
		c.t.Errorf("connection is %s", s)
	}
	c.number("pid", c.rec.Values[c.rec.Index("pid")].Num)
	c.between("duration_us", 0, e.after.Sub(e.before).Microseconds()+1e6)
}

func compareParts(c *checker, e *exchange) {
	loopback := "127.0.0.1"
	if e.six {
		loopback = "::1"
	}
	c.text("client_ip", &e.client)
	c.text("peer_ip", &loopback)
	c.text("local_ip", &loopback)
	c.port(e)
	c.number("port", 80)
	c.number("keepalive", e.keepalive)
	c.text("user", e.user)
	c.text("referer", e.referer)
	c.text("agent", e.agent)
	c.null("ident", "note_none", "cookie_none")
	c.text("vhost", str("www.example.com"))
	if e.status != 405 { // CONNECT names another
		c.text("server_name", str("www.example.com"))
	}
	if e.status == 200 && !strings.HasPrefix(e.raw, "OPTIONS") { // which no module answers
		c.text("env_colour", str(`deep "red"`))
		c.text("response_x_odd", str(`a "quoted" value`))
		n := int64(len(e.ended()))
		c.between("bytes_in", n-2, n+2) // on a kept connection Apache looks ahead
	}
	if e.status != 0 {
		c.number("status", e.status)
		c.number("original_status", e.status)
		c.number("bytes", e.body)
	}
	in, out := c.rec.Values[c.rec.Index("bytes_in")].Num, c.rec.Values[c.rec.Index("bytes_out")].Num
	c.number("bytes_total", in+out)
	if method, _, query, protocol := e.parts(); e.status == 200 && net.ParseIP(e.client) != nil {
		c.text("method", method)
		c.text("protocol", protocol)
		c.text("query", query)
	}
}
