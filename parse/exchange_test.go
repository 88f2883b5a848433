package parse

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// exchange is one request as it is sent, and what the log must have of it.
type exchange struct {
	raw string // as sent
	// request is %r; null where Apache has none.
	request, user, referer, agent *string
	client                        string  // by X-Forwarded-For; "" is the connection's
	forwarded                     *string // what mod_remoteip leaves of X-Forwarded-For
	six                           bool    // over [::1]
	keep                          bool    // the next one uses the same connection
	bare                          bool    // the answer has no status line

	// what came back
	port          string // the client's
	keepalive     int64  // %k
	status        int64
	body          int64
	before, after time.Time
}

func str(s string) *string { return &s }

// ordinary makes a request of its parts. Empty headers are sent, nil ones not.
func ordinary(request string, client string, user, referer, agent *string) *exchange {
	e := &exchange{request: &request, client: client, user: user, referer: referer, agent: agent}
	var b strings.Builder
	b.WriteString(request + "\r\nHost: www.example.com\r\n")
	header := func(name string, value *string) {
		if value != nil {
			b.WriteString(name + ": " + *value + "\r\n")
		}
	}
	if user != nil {
		b.WriteString("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(*user+":secret")) + "\r\n")
	}
	if client != "" {
		header("X-Forwarded-For", &client)
	}
	header("Referer", referer)
	header("User-Agent", agent)
	e.raw = b.String()
	return e
}

// throughProxies sends a request that was forwarded by proxies: mod_remoteip takes the last address as
// the client's, and keeps the list before it.
func throughProxies(list, client string, user *string) *exchange {
	page := "/through"
	if user != nil {
		page = "/private/"
	}
	e := ordinary("GET "+page+" HTTP/1.1", list+", "+client, user, nil, str("curl/8.5.0"))
	e.client, e.forwarded = client, &list
	return e
}

// refused is a request line after which Apache reads no header, and what it
// keeps of it.
func refused(request, kept string) *exchange {
	return &exchange{raw: request + "\r\nHost: www.example.com\r\nUser-Agent: x\r\n", request: &kept}
}

// ended ends the header, and the connection unless it is kept.
func (e *exchange) ended() string {
	if !strings.Contains(e.raw, "\r\nHost:") {
		return e.raw
	}
	if e.keep {
		return e.raw + "\r\n"
	}
	return e.raw + "Connection: close\r\n\r\n"
}

// hostile are requests as they come from the internet.
func hostile() []*exchange {
	agent := str("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0")
	all := []*exchange{
		{raw: "", bare: true}, // a time-out: 408
		{raw: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 \"\\\r\n", request: str("\x16\x03\x01\x02")},
		{raw: "\x16\x03\x01\r\n\r\n", request: str("\x16\x03\x01")},
		{raw: "GET /\r\n", request: str("GET /"), bare: true},
		{raw: "GET /a b.html\r\n\r\n", request: str("GET /a b.html")},
		{raw: "\x03\xff\xfe\x80 \"\\ mgmt\r\n\r\n", request: str("\x03\xff\xfe\x80 \"\\ mgmt")},
		{raw: "QUIT\r\n\r\n", request: str("QUIT")},
		{raw: "GET / HTTP/1.1\r\n\r\n", request: str("GET / HTTP/1.1")}, // no Host
		refused("GET /nul\x00byte HTTP/1.1", "GET /nul"),                // Apache's strings end at NUL
		refused("GET /a b.html?x=y HTTP/1.1", "GET /a b.html?x=y"),
		refused("GET /a b c.html HTTP/1.1", "GET /a b"),
		refused("GET /tab\there HTTP/1.1", "GET /tab here"),
		ordinary("GET /caf\xc3\xa9/\xff\x80 HTTP/1.1", "198.51.100.2", nil, nil, agent),
		ordinary(`GET /?q="><script>alert("x")</script>\ HTTP/1.1`, "198.51.100.3", nil, str(`http://example.com/"q" "\`), str(`"><script>\\`)),
		ordinary("GET /"+strings.Repeat("\xff", 8000)+" HTTP/1.1", "198.51.100.4", nil, str(strings.Repeat("\xfe", 8000)), str(strings.Repeat("\x80", 8000))),
		refused("GET /"+strings.Repeat("a", 9000)+" HTTP/1.1", "GET /"+strings.Repeat("a", 8186)), // 414
		ordinary("GET /tabs HTTP/1.1", "198.51.100.5", nil, str("a\tb"), str("\x01\x02\x7f")),
		ordinary("GET /private/ HTTP/1.1", "198.51.100.6", str("John Q. Public"), nil, agent),
		ordinary("GET /private/ HTTP/1.1", "198.51.100.7", str(""), nil, agent),
		ordinary("GET /private/ HTTP/1.1", "198.51.100.8", str("x [01/Jan/2001 [] \"y\""), nil, agent),
		ordinary("GET /private/ HTTP/1.1", "198.51.100.9", str("J\xc3\xb6rg \\ \"\xff"), nil, agent),
		ordinary("GET / HTTP/1.1", "2001:db8::17", nil, str(""), str("")),
		ordinary("GET / HTTP/1.1", "", nil, nil, str("x")),
		ordinary("GET /? HTTP/1.0", "198.51.100.10", nil, nil, nil),
		ordinary("get / HTTP/1.1", "198.51.100.11", nil, nil, nil),
		ordinary("GET http://www.example.com/a?b HTTP/1.1", "198.51.100.12", nil, nil, agent),
		ordinary("CONNECT example.net:443 HTTP/1.1", "198.51.100.13", nil, nil, agent),
		ordinary("GET /%20%22%5C%00 HTTP/1.1", "198.51.100.14", nil, nil, agent),
		ordinary("GET /a%20b%22c?d%20e HTTP/1.1", "198.51.100.15", nil, nil, agent),
		ordinary("OPTIONS * HTTP/1.1", "198.51.100.16", nil, nil, agent),
		ordinary("GET /old?x HTTP/1.1", "198.51.100.17", nil, nil, agent),
	}
	all = append(all,
		throughProxies("203.0.113.5", "198.51.100.40", nil),
		throughProxies("203.0.113.5, 203.0.113.6", "198.51.100.41", nil),
		throughProxies("203.0.113.5, 2001:db8::7, unknown", "198.51.100.42", str("frank")),
		throughProxies("203.0.113.5, 203.0.113.6", "198.51.100.43", str("Anna Lena")),
		throughProxies("203.0.113.5, x y", "198.51.100.44", nil),
		throughProxies("x - root", "198.51.100.45", str("frank")),
	)
	for i := range 4 {
		e := ordinary(fmt.Sprintf("GET /keep/%d HTTP/1.1", i), "", nil, nil, agent)
		e.keep, e.six = i < 3, true
		all = append(all, e)
	}
	return all
}

// visitors are requests as people, robots and scanners send them.
func visitors(rng *rand.Rand, n int) []*exchange {
	pages := strings.Fields("/ /index.html /logo.png /blog /blog/ /blog/2026/harvest.html /favicon.ico /robots.txt /search?q=sluice /search?q=water+gate&page=2 /wp-login.php /.env /old /private/ /api/v1/items?limit=50&sort=-date /caf%C3%A9")
	agents := []*string{
		str("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"),
		str("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"),
		str("Mozilla/5.0 (compatible; ExampleBot/2.1; +http://www.example.com/bot.html)"),
		str("curl/8.5.0"), str("python-requests/2.31.0"), str("-"), nil,
	}
	referers := []*string{nil, nil, str("http://www.example.com/"), str("https://search.example.net/?q=how+to+read+\"logs\""), str("http://www.example.com/blog/")}
	methods := strings.Fields("GET GET GET GET GET GET GET HEAD POST OPTIONS")
	var all []*exchange
	for range n {
		client := fmt.Sprintf("%s.%d", []string{"192.0.2", "198.51.100", "203.0.113"}[rng.IntN(3)], rng.IntN(255))
		if rng.IntN(6) == 0 {
			client = fmt.Sprintf("2001:db8::%x", 1+rng.IntN(0xfffe))
		}
		var user *string
		page := pages[rng.IntN(len(pages))]
		if page == "/private/" && rng.IntN(2) == 0 {
			user = str([]string{"frank", "mary.jane", "Anna Lena"}[rng.IntN(3)])
		}
		e := ordinary(methods[rng.IntN(len(methods))]+" "+page+" HTTP/1.1", client, user, referers[rng.IntN(len(referers))], agents[rng.IntN(len(agents))])
		e.six = rng.IntN(4) == 0
		e.keep = rng.IntN(3) == 0
		all = append(all, e)
	}
	for i, e := range all { // a connection is of one family, and ends
		e.keep = e.keep && i+1 < len(all) && all[i+1].six == e.six
	}
	return all
}

// send sends the requests one after the other and records the answers.
func (h *httpd) send(t *testing.T, all []*exchange) {
	t.Helper()
	var conn net.Conn
	var in *bufio.Reader
	keepalive := int64(0)
	for i, e := range all {
		if conn == nil {
			address := "127.0.0.1:" + h.port
			if e.six {
				address = "[::1]:" + h.port
			}
			var err error
			if conn, err = net.Dial("tcp", address); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
				t.Fatal(err)
			}
			in, keepalive = bufio.NewReader(conn), 0
		}
		if e.keepalive = keepalive; e.keep { // Apache counts requests that kept it
			keepalive++
		} else {
			e.keepalive = max(0, keepalive-1)
		}
		host, port, err := net.SplitHostPort(conn.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if e.port = port; e.client == "" {
			e.client = host
		}
		e.before = time.Now()
		if _, err := io.WriteString(conn, e.ended()); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		e.receive(t, i, in)
		e.after = time.Now()
		if !e.keep {
			closeAll(t, conn)
			conn = nil
		}
	}
}

func (e *exchange) receive(t *testing.T, i int, in *bufio.Reader) {
	t.Helper()
	if e.bare {
		n, err := io.Copy(io.Discard, in)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		e.body = n
		return
	}
	method, _, _ := strings.Cut(e.raw, " ")
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("request %d, %.40q: %v", i, e.raw, err)
	}
	e.status = int64(resp.StatusCode)
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		t.Fatalf("request %d, %.40q: %v", i, e.raw, err)
	}
	e.body = n
	if e.keep && resp.Close {
		t.Fatalf("request %d, %.40q: the connection was not kept", i, e.raw)
	}
}
