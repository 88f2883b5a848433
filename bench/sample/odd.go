package sample

// oddLines generate lines that break parsers, without the newline, as Apache writes them, or as
// they are after Windows, a proxy or a crash.
var oddLines = []func(l *Log, b []byte) []byte{
	// A client that connected and sent nothing.
	func(l *Log, b []byte) []byte { return l.odd(b, "-", `-`, `408 -`, "-", "-") },
	// TLS on the HTTP port.
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", `\x16\x03\x01\x02`, `400 484`, "-", "-")
	},
	func(l *Log, b []byte) []byte { return l.odd(b, "-", ``, `400 0`, "-", "-") },
	// HTTP/0.9 has no protocol in the request line.
	func(l *Log, b []byte) []byte { return l.odd(b, "-", `GET /`, `200 11173`, "-", "-") },
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", `GET /files/annual report 2025.pdf HTTP/1.1`, `404 196`, "-", l.agent())
	},
	func(l *Log, b []byte) []byte {
		return l.odd(b, "jane doe", `GET /private/ HTTP/1.1`, `401 381`, "-", l.agent())
	},
	func(l *Log, b []byte) []byte {
		return l.odd(b, `""`, `GET /private/ HTTP/1.1`, `401 381`, "-", l.agent())
	},
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", `GET /search?q=sluice HTTP/1.1`, `200 5120`, `https://example.net/?q=\"sluice gate\"`, l.agent())
	},
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", `GET /robots.txt HTTP/1.1`, `200 68`, "-", `Mozilla/5.0 (\"quoted\" \\ agent)`)
	},
	// A request that ended before it had a status.
	func(l *Log, b []byte) []byte { return l.odd(b, "-", `GET /slow HTTP/1.1`, `- -`, "-", l.agent()) },
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", `HEAD /feed.xml HTTP/1.1`, `200 -`, "-", l.agent())
	},
	// Bytes from 0x80 on, escaped by Apache, and unescaped.
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", `GET /caf\xc3\xa9/men\xc3\xbc HTTP/1.1`, `404 196`, "-", l.agent())
	},
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", "GET /caf\xe9 HTTP/1.1", `404 196`, "-", "K\xc3\xb6ter/1.0")
	},
	func(l *Log, b []byte) []byte {
		return l.odd(b, "-", "GET /\x00 HTTP/1.1", `400 226`, "-", "-")
	},
	func(l *Log, b []byte) []byte {
		return append(l.odd(b, "-", `GET /from-windows HTTP/1.1`, `200 42`, "-", l.agent()), '\r')
	},
	func(l *Log, b []byte) []byte {
		return l.rest(l.appendIPv6(b), "-", `GET / HTTP/1.1`, `200 11173`, "-", l.agent())
	},
	// With HostnameLookups On.
	func(l *Log, b []byte) []byte {
		b = append(l.appendHex(append(b, "crawl-"...), 2), ".bot.example.org"...)
		return l.rest(b, "-", `GET /robots.txt HTTP/1.1`, `200 68`, "-", l.agent())
	},
	longLine,
	// A line truncated by a crash; after the restart the next one continued it.
	func(l *Log, b []byte) []byte { return append(l.appendIPv4(b), " - - [02/Se"...) },
}

const (
	longPathBytes = 8000 // a little below Apache's LimitRequestLine
	hugePathBytes = 98_000
)

// longLine has a path of the maximum length of Apache's default limit; one in 32 is longer, from a
// server with a higher limit.
func longLine(l *Log, b []byte) []byte {
	n := longPathBytes
	if l.in(1, 32) {
		n = hugePathBytes
	}
	path := append(make([]byte, 0, n+64), "GET /"...)
	for len(path) < n {
		path = append(l.appendHex(path, 8), '/')
	}
	return l.odd(b, "-", string(append(path, " HTTP/1.1"...)), `414 322`, "-", l.agent())
}

func (l *Log) agent() string { return l.site.agents.pick(l) }

func (l *Log) odd(b []byte, user, request, statusBytes, referer, agent string) []byte {
	return l.rest(l.appendIPv4(b), user, request, statusBytes, referer, agent)
}

// rest returns the line after the client's address.
func (l *Log) rest(b []byte, user, request, statusBytes, referer, agent string) []byte {
	b = append(append(append(b, " - "...), user...), ' ')
	b = append(append(l.appendTime(b), ` "`...), request...)
	b = append(append(b, `" `...), statusBytes...)
	b = append(append(b, ` "`...), referer...)
	return append(append(append(b, `" "`...), agent...), '"')
}

func (l *Log) appendIPv6(b []byte) []byte {
	b = append(b, "2001:db8"...)
	for range 6 {
		b = l.appendHex(append(b, ':'), 2)
	}
	return b
}

// appendHex appends n random bytes in hexadecimal.
func (l *Log) appendHex(b []byte, n int) []byte {
	const digits = "0123456789abcdef"
	r := l.rng.Uint64()
	for range n {
		b = append(b, digits[r>>4&15], digits[r&15])
		r >>= 8
	}
	return b
}
