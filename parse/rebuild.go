package parse

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"sluice/schema"
)

// FieldValue is one field's value, for a LineWriter.
type FieldValue struct {
	// Text is the value of a text or an address, unescaped.
	Text []byte
	// Num is a number, or a time in nanoseconds since 1970.
	Num int64
	// Null is true if there is no value.
	Null bool
	// Plain is true if Text has no byte that Apache escapes. It may be false if the caller does not
	// know.
	Plain bool
}

// LineWriter writes lines from the fields of their records, as Apache httpd does. It is not safe
// for concurrent use.
//
// The line that it writes can differ from the line that was parsed: a line may not match its
// format, or come from a writer that escapes in another way. Compare the two (Writes) before
// storing the fields instead of the line.
type LineWriter struct {
	f                      *Format
	method, path, protocol int // the parts of %r, -1 for none
	second                 int64
	zone                   int32
	stamp                  [clfBytes]byte // of second and zone
	stamped                bool
	clock                  []byte // scratch
}

// NewLineWriter returns a writer of the format's lines. ok is false for a format whose lines cannot
// be rebuilt from their fields: a regular expression, or one with an envelope.
func (f *Format) NewLineWriter() (w *LineWriter, ok bool) {
	if f.pattern != nil || f.envelope != noEnvelope {
		return nil, false
	}
	w = &LineWriter{
		f: f, method: schema.Index(f.fields, "method"), path: schema.Index(f.fields, "path"), protocol: schema.Index(f.fields, "protocol"),
	}
	return w, true
}

// Append appends the line of a record with these fields, in the order of the format's, and the zone
// in seconds east of UTC. ok is false if there is no such line. Derived fields are ignored.
func (w *LineWriter) Append(dst []byte, fields []FieldValue, zoneSeconds int32) (line []byte, ok bool) {
	out := lineOutput{b: dst}
	ok = w.write(&out, fields, zoneSeconds)
	return out.b, ok
}

// Writes reports whether Append would write this line. It is fast for the fields of that very line:
// a plain text that is a span of it at its position is not compared.
func (w *LineWriter) Writes(line []byte, fields []FieldValue, zoneSeconds int32) bool {
	if !hasPrefixAt(line, 0, w.f.prefix) {
		return false
	}
	p := len(w.f.prefix)
	for i := range w.f.steps {
		s := &w.f.steps[i]
		v := &fields[s.field]
		next := -1
		switch s.op {
		case opInt:
			next = matchInt(line, p, v)
		case opText, opAddr, opQuoted:
			if v.Null {
				next = matchDash(line, p)
			} else if v.Plain && len(v.Text) > 0 {
				next = matchText(line, p, v.Text)
			}
		case opTime:
			if s.clock.clf && w.stamped && !v.Null && v.Num == w.second*1e9 && zoneSeconds == w.zone {
				next = matchText(line, p, w.stamp[:])
			}
		case opRequest:
			next = w.matchRequest(line, p, fields)
		}
		if next < 0 { // the rare kinds
			o := lineOutput{b: line, compare: true, at: p}
			if !w.step(&o, s, fields, zoneSeconds) || o.differs {
				return false
			}
			next = o.at
		}
		if !s.hasLit(line, next) {
			return false
		}
		p = next + len(s.lit)
	}
	return p == len(line)
}

// matchText returns the end of a text that starts at p; -1 if it is not there.
func matchText(line []byte, p int, text []byte) int {
	n := len(text)
	if len(line)-p < n || &line[p] != &text[0] && !bytes.Equal(line[p:p+n], text) {
		return -1
	}
	return p + n
}

func matchDash(line []byte, p int) int {
	if p < len(line) && line[p] == '-' {
		return p + 1
	}
	return -1
}

// matchInt is matchText for a number of at most seven digits.
func matchInt(line []byte, p int, v *FieldValue) int {
	if v.Null {
		return matchDash(line, p)
	}
	if len(line)-p < 8 {
		return -1
	}
	n, digits := numberIn(binary.LittleEndian.Uint64(line[p:]))
	if digits == 0 || digits > 7 || int64(n) != v.Num || line[p] == '0' && digits > 1 {
		return -1
	}
	return p + digits
}

// matchRequest is matchText for a request line of plain parts.
func (w *LineWriter) matchRequest(line []byte, p int, fields []FieldValue) int {
	if w.method < 0 || w.path < 0 || w.protocol < 0 {
		return -1
	}
	for i, part := range [...]int{w.method, w.path, w.protocol} {
		v := &fields[part]
		if v.Null || !v.Plain || len(v.Text) == 0 {
			return -1
		}
		if i > 0 {
			if p >= len(line) || line[p] != ' ' {
				return -1
			}
			p++
		}
		if p = matchText(line, p, v.Text); p < 0 {
			return -1
		}
	}
	return p
}

// lineOutput collects a line, or compares it with one.
type lineOutput struct {
	b       []byte
	compare bool
	differs bool
	at      int // compared so far
}

func (o *lineOutput) bytes(p []byte) {
	if !o.compare {
		o.b = append(o.b, p...)
		return
	}
	if len(o.b)-o.at < len(p) {
		o.differs = true
		return
	}
	if !bytes.Equal(o.b[o.at:o.at+len(p)], p) {
		o.differs = true
		return
	}
	o.at += len(p)
}

func (o *lineOutput) string(s string) {
	if !o.compare {
		o.b = append(o.b, s...)
	} else if !hasPrefixAt(o.b, o.at, s) {
		o.differs = true
	} else {
		o.at += len(s)
	}
}

func (o *lineOutput) byte(c byte) {
	switch {
	case !o.compare:
		o.b = append(o.b, c)
	case o.at < len(o.b) && o.b[o.at] == c:
		o.at++
	default:
		o.differs = true
	}
}

// write writes the line.
func (w *LineWriter) write(o *lineOutput, fields []FieldValue, zoneSeconds int32) (ok bool) {
	o.string(w.f.prefix)
	for i := range w.f.steps {
		s := &w.f.steps[i]
		if !w.step(o, s, fields, zoneSeconds) {
			return false
		}
		o.string(s.lit)
	}
	return true
}

// step writes one directive. It returns false if the value cannot be written.
func (w *LineWriter) step(o *lineOutput, s *step, fields []FieldValue, zoneSeconds int32) bool {
	v := &fields[s.field]
	switch s.op {
	case opRequest:
		w.request(o, fields)
	case opTime:
		return w.time(o, s, v, zoneSeconds)
	case opQuery:
		if s.request.path == 0 && !v.Null { // otherwise it is in the path
			o.byte('?')
			o.escaped(v)
		}
	case opInt:
		if v.Null {
			o.byte('-')
		} else {
			o.int(v.Num)
		}
	default:
		switch {
		case v.Null:
			o.byte('-')
		case s.user && len(v.Text) == 0:
			o.string(`""`)
		default:
			o.escaped(v)
		}
	}
	return true
}

// request writes a request line from its parts. Without a method it is null, or the request was not
// a request line.
func (w *LineWriter) request(o *lineOutput, fields []FieldValue) {
	if w.method < 0 || fields[w.method].Null {
		o.byte('-')
		return
	}
	o.escaped(&fields[w.method])
	for _, part := range [...]int{w.path, w.protocol} {
		if part >= 0 && !fields[part].Null {
			o.byte(' ')
			o.escaped(&fields[part])
		}
	}
}

func (o *lineOutput) int(n int64) {
	var digits [20]byte
	o.bytes(strconv.AppendInt(digits[:0], n, 10))
}

// escaped writes a text as ap_escape_logitem does.
func (o *lineOutput) escaped(v *FieldValue) {
	if v.Plain || !NeedsEscape(v.Text) {
		o.bytes(v.Text)
		return
	}
	for _, c := range v.Text {
		switch {
		case c == '"' || c == '\\':
			o.byte('\\')
			o.byte(c)
		case c >= ' ' && c < 0x7f:
			o.byte(c)
		default:
			o.control(c)
		}
	}
}

// control writes the escape of a byte that is not printable.
func (o *lineOutput) control(c byte) {
	const digits = "0123456789abcdef"
	o.byte('\\')
	switch c {
	case '\b':
		o.byte('b')
	case '\n':
		o.byte('n')
	case '\r':
		o.byte('r')
	case '\t':
		o.byte('t')
	case '\v':
		o.byte('v')
	default:
		o.byte('x')
		o.byte(digits[c>>4])
		o.byte(digits[c&15])
	}
}

// NeedsEscape reports whether Apache escapes a byte of the text. It checks eight bytes as one word.
func NeedsEscape(text []byte) bool {
	for len(text) >= 8 {
		if hasSpecial(binary.LittleEndian.Uint64(text)) {
			return true
		}
		text = text[8:]
	}
	last := uint64(ones * ' ') // filled up with blanks
	for i, c := range text {
		last ^= uint64(c^' ') << (8 * i)
	}
	return hasSpecial(last)
}

const ones = 0x0101010101010101

// hasSpecial reports whether one of eight bytes is a control character, a quote, a backslash or not
// ASCII.
func hasSpecial(w uint64) bool {
	quote, backslash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
	return (w|(w-ones*' ')|(quote-ones)&^quote|(backslash-ones)&^backslash|(del-ones)&^del)&highBits != 0
}

// time writes a time directive. It returns false for a time that cannot be written.
func (w *LineWriter) time(o *lineOutput, s *step, v *FieldValue, zoneSeconds int32) bool {
	switch {
	case v.Null:
		o.byte('-')
		return s.nullable
	case v.Num < 0 || zoneSeconds%60 != 0 || zoneSeconds <= -86400 || zoneSeconds >= 86400:
		return false
	case !s.clock.clf:
		text, ok := w.appendClock(w.clock[:0], s.clock.parts, v.Num, zoneSeconds)
		w.clock = text
		o.bytes(text)
		return ok
	}
	if second := v.Num / 1e9; !w.stamped || second != w.second || zoneSeconds != w.zone {
		w.stamp = clfTime(second, zoneSeconds)
		w.second, w.zone, w.stamped = second, zoneSeconds, true
	}
	o.bytes(w.stamp[:])
	return true
}

// clfTime formats a time as Apache does.
func clfTime(second int64, zoneSeconds int32) (b [clfBytes]byte) {
	t := time.Unix(second+int64(zoneSeconds), 0).UTC()
	year, month, day := t.Date()
	hour, minute, sec := t.Clock()
	two := func(at, n int) { b[at], b[at+1] = byte('0'+n/10), byte('0'+n%10) }
	copy(b[:], "[00/Jan/0000:00:00:00 +0000]")
	two(1, day)
	copy(b[4:7], monthNames[month-1])
	two(8, year/100)
	two(10, year%100)
	two(13, hour)
	two(16, minute)
	two(19, sec)
	if zoneSeconds < 0 {
		b[22], zoneSeconds = '-', -zoneSeconds
	}
	two(23, int(zoneSeconds)/3600)
	two(25, int(zoneSeconds)/60%60)
	return b
}

// appendClock writes the parts of a %{…}t. ok is false for a part that is not supported, such as a
// zone's name.
func (w *LineWriter) appendClock(dst []byte, parts []byte, nanos int64, zoneSeconds int32) (line []byte, ok bool) {
	t := time.Unix(nanos/1e9+int64(zoneSeconds), nanos%1e9).UTC()
	for i := 0; i < len(parts); i++ {
		if parts[i] == 0 {
			i++
			dst = append(dst, parts[i])
			continue
		}
		if dst, ok = appendConversion(dst, parts[i], t, nanos, zoneSeconds); !ok {
			return dst, false
		}
	}
	return dst, true
}

// appendConversion writes one conversion of a wall clock t, which is the moment nanos.
func appendConversion(dst []byte, letter byte, t time.Time, nanos int64, zoneSeconds int32) (line []byte, ok bool) {
	padded := func(n, width int) []byte {
		if letter&unpadded != 0 {
			width = 1
		}
		text := strconv.Itoa(n)
		return append(append(dst, strings.Repeat("0", max(0, width-len(text)))...), text...)
	}
	hour12 := (t.Hour()+11)%12 + 1
	switch letter &^ unpadded {
	case epochSeconds, epochTenDigits, 's':
		return strconv.AppendInt(dst, nanos/1e9, 10), true
	case epochMillis:
		return strconv.AppendInt(dst, nanos/1e6, 10), true
	case epochMicros:
		return strconv.AppendInt(dst, nanos/1e3, 10), true
	case fracMillis:
		return padded(int(nanos%1e9/1e6), 3), true
	case fracMicros:
		return padded(int(nanos%1e9/1e3), 6), true
	case 'Y':
		return padded(t.Year(), 4), true
	case 'C':
		return padded(t.Year()/100, 2), true
	case 'y':
		return padded(t.Year()%100, 2), true
	case 'm':
		return padded(int(t.Month()), 2), true
	case 'd':
		return padded(t.Day(), 2), true
	case 'j':
		return padded(t.YearDay(), 3), true
	case 'H':
		return padded(t.Hour(), 2), true
	case 'I':
		return padded(hour12, 2), true
	case 'M':
		return padded(t.Minute(), 2), true
	case 'S':
		return padded(t.Second(), 2), true
	case 'b':
		return append(dst, monthNames[t.Month()-1][:3]...), true
	case 'B':
		return append(dst, monthNames[t.Month()-1]...), true
	case 'a':
		return append(dst, dayNames[t.Weekday()][:3]...), true
	case 'A':
		return append(dst, dayNames[t.Weekday()]...), true
	case 'p':
		return append(dst, "AMPM"[t.Hour()/12*2:][:2]...), true
	case 'z':
		stamp := clfTime(0, zoneSeconds)
		return append(dst, stamp[22:27]...), true
	}
	return dst, false
}
