package parse

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"sluice/schema"
)

// FieldValue is one field's value, for a LineWriter.
type FieldValue struct {
	// Text is the value of a text or an address, escapes undone.
	Text []byte
	// Num is a number, or a time in nanoseconds since 1970.
	Num int64
	// Null: there is no value.
	Null bool
	// Plain: Text has nothing that Apache escapes. A caller that does not know leaves it out.
	Plain bool
}

// LineWriter writes lines from the fields of their records, as Apache httpd writes them.
// It is made for each user of a Format, and is not safe for concurrent use.
//
// What it writes need not be the line that was parsed: a line can leave its format, or
// come from a writer that escapes in another way. Who keeps fields in place of a line
// compares the two first.
type LineWriter struct {
	f                      *Format
	method, path, protocol int // the parts of %r, -1 for none
	second                 int64
	zone                   int32
	stamp                  [clfBytes]byte // of second and zone
	stamped                bool
}

// NewLineWriter returns a writer of the format's lines; ok is false for a format whose
// lines do not follow from their fields: a regular expression, or with an envelope.
func (f *Format) NewLineWriter() (w *LineWriter, ok bool) {
	if f.pattern != nil || f.envelope != noEnvelope {
		return nil, false
	}
	w = &LineWriter{
		f: f, method: schema.Index(f.fields, "method"), path: schema.Index(f.fields, "path"), protocol: schema.Index(f.fields, "protocol"),
	}
	return w, true
}

// Append appends the line of a record with these fields, which are the format's, and so
// many seconds east of UTC. ok is false if that has no line. Fields that are Derived are
// not looked at.
func (w *LineWriter) Append(dst []byte, fields []FieldValue, zoneSeconds int32) (line []byte, ok bool) {
	dst = append(dst, w.f.prefix...)
	for i := range w.f.steps {
		s := &w.f.steps[i]
		switch s.op {
		case opRequest:
			dst = w.appendRequest(dst, fields)
		case opTime:
			if dst, ok = w.appendTime(dst, s, &fields[s.field], zoneSeconds); !ok {
				return dst, false
			}
		case opQuery:
			if v := &fields[s.field]; s.request.path == 0 && !v.Null { // else it is in the path
				dst = appendEscaped(append(dst, '?'), v)
			}
		case opInt:
			if v := &fields[s.field]; v.Null {
				dst = append(dst, '-')
			} else {
				dst = appendInt(dst, v.Num)
			}
		default:
			switch v := &fields[s.field]; {
			case v.Null:
				dst = append(dst, '-')
			case s.user && len(v.Text) == 0:
				dst = append(dst, `""`...)
			default:
				dst = appendEscaped(dst, v)
			}
		}
		dst = append(dst, s.lit...)
	}
	return dst, true
}

// appendRequest writes a request line of its parts. One without a method has none: it is
// null, or what was sent is no request line.
func (w *LineWriter) appendRequest(dst []byte, fields []FieldValue) []byte {
	if w.method < 0 || fields[w.method].Null {
		return append(dst, '-')
	}
	dst = appendEscaped(dst, &fields[w.method])
	for _, part := range [...]int{w.path, w.protocol} {
		if part >= 0 && !fields[part].Null {
			dst = appendEscaped(append(dst, ' '), &fields[part])
		}
	}
	return dst
}

// appendInt is strconv.AppendInt, faster for the numbers of most lines.
func appendInt(dst []byte, n int64) []byte {
	if uint64(n) < 1000 {
		if n >= 100 {
			return append(dst, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
		}
		if n >= 10 {
			return append(dst, byte('0'+n/10), byte('0'+n%10))
		}
		return append(dst, byte('0'+n))
	}
	return strconv.AppendInt(dst, n, 10)
}

// NeedsEscape reports whether Apache writes something else for the text. It looks at eight
// bytes as one word.
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

// hasSpecial reports whether one of eight bytes is a control, a quote, a backslash or no
// ASCII.
func hasSpecial(w uint64) bool {
	quote, backslash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
	return (w|(w-ones*' ')|(quote-ones)&^quote|(backslash-ones)&^backslash|(del-ones)&^del)&highBits != 0
}

// appendEscaped appends a text as ap_escape_logitem does.
func appendEscaped(dst []byte, v *FieldValue) []byte {
	if v.Plain || !NeedsEscape(v.Text) {
		return append(dst, v.Text...)
	}
	const digits = "0123456789abcdef"
	for _, c := range v.Text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c == '\v':
			dst = append(dst, `\v`...)
		default:
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

// appendTime writes a time directive.
func (w *LineWriter) appendTime(dst []byte, s *step, v *FieldValue, zoneSeconds int32) ([]byte, bool) {
	switch {
	case v.Null:
		return append(dst, '-'), s.nullable
	case v.Num < 0 || zoneSeconds%60 != 0 || zoneSeconds <= -86400 || zoneSeconds >= 86400:
		return dst, false
	case !s.clock.clf:
		return w.appendClock(dst, s.clock.parts, v.Num, zoneSeconds)
	}
	if second := v.Num / 1e9; !w.stamped || second != w.second || zoneSeconds != w.zone {
		w.stamp = clfTime(second, zoneSeconds)
		w.second, w.zone, w.stamped = second, zoneSeconds, true
	}
	return append(dst, w.stamp[:]...), true
}

// clfTime is Apache's own time.
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

// appendClock writes the parts of a %{…}t. ok is false for what is not written back, such
// as a zone's name.
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

// appendConversion writes one conversion of a wall clock t, which stands for nanos.
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
