package sample

import "strconv"

// appendLine generates one line.
func (l *Log) appendLine() {
	if l.in(oddPerMille, 1000) {
		l.block = append(oddLines[l.below(len(oddLines))](l, l.block), '\n')
		return
	}
	c := l.client()
	b := append(l.block, c.address...)
	b = append(b, " - "...)
	if l.in(1, 100) {
		b = append(b, users[l.below(len(users))]...)
	} else {
		b = append(b, '-')
	}
	b = append(b, ' ')
	b = l.appendTime(b)
	b = append(b, ` "`...)
	p := l.site.pages.pick(l)
	b = l.appendRequest(b, p)
	b = append(b, `" `...)
	b = l.appendStatus(b, p)
	b = append(b, ` "`...)
	b = append(b, l.site.referers.pick(l)...)
	b = append(b, `" "`...)
	b = append(b, c.agent...)
	l.block = append(b, "\"\n"...)
}

// client returns a client: usually a known one; some, like crawlers, are new.
func (l *Log) client() client {
	if l.in(3, 4) {
		return l.site.clients.pick(l)
	}
	return client{l.appendIPv4(l.site.address[:0]), l.site.agents.pick(l)}
}

func (l *Log) appendIPv4(b []byte) []byte {
	n := l.rng.Uint64()
	b = strconv.AppendUint(b, 1+n>>8%222, 10)
	for shift := 16; shift <= 32; shift += 8 {
		b = append(b, '.')
		b = strconv.AppendUint(b, n>>shift&0xff, 10)
	}
	return b
}

func (l *Log) appendRequest(b []byte, p page) []byte {
	b = append(b, p.request...)
	if p.query != "" {
		b = append(b, p.query...)
		b = strconv.AppendUint(b, l.rng.Uint64()>>44, 36)
	}
	if l.in(1, 20) {
		return append(b, " HTTP/1.0"...)
	}
	return append(b, " HTTP/1.1"...)
}

// appendStatus appends the status and the number of bytes. A static file always has the same
// length, a dynamic page does not.
func (l *Log) appendStatus(b []byte, p page) []byte {
	status := statuses[l.rng.Uint64()%uint64(len(statuses))]
	b = append(b, status...)
	b = append(b, ' ')
	switch {
	case status == "304":
		return append(b, '-')
	case status != "200":
		return strconv.AppendInt(b, int64(199+l.below(400)), 10)
	case p.query != "":
		return strconv.AppendInt(b, int64(p.bytes+l.below(4096)), 10)
	}
	return strconv.AppendInt(b, int64(p.bytes), 10)
}
