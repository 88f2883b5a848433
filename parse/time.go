package parse

import (
	"encoding/binary"

	"sluice/schema"
)

// readTime reads %t, or one %{…}t of a time that is combined from several.
func (r *reader) readTime(s *step, p int) (int, string) {
	if s.nullable && p < len(r.line) && r.line[p] == '-' && hasPrefixAt(r.line, p+1, s.lit) {
		r.rec.Values[s.field].State = schema.Null
		return p + 1, ""
	}
	if !s.clock.clf {
		c := r.clock(s.clock.end)
		before := *c
		next, reason := c.read(s.clock.parts, r.line, p)
		if reason != "" {
			*c = before
		} else {
			c.seen |= s.part
			if v := &r.rec.Values[s.field]; v.State == schema.Null {
				v.Start, v.End, v.State = uint32(p), uint32(next), schema.InLine
			}
		}
		return next, reason
	}
	next := r.quickTime(s, p)
	if next < 0 {
		return p, "a time like [17/May/2015:10:05:03 +0000] is expected"
	}
	if r.clocks != nil {
		c := r.clock(s.clock.end)
		c.setEpoch(r.rec.Values[s.field].Num)
		c.seen |= s.part
		c.zone, c.hasZone = r.zone, true
	}
	return next, ""
}

// quickTime reads Apache's default form; -1 for another.
func (r *reader) quickTime(s *step, p int) int {
	if len(r.line)-p < clfBytes {
		return -1
	}
	seconds, zone, ok := parseCLF((*[clfBytes]byte)(r.line[p:]))
	if !ok {
		return -1
	}
	v := &r.rec.Values[s.field]
	v.Num, v.Start, v.End, v.State = seconds*1e9, uint32(p+1), uint32(p+clfBytes-1), schema.InLine
	r.zone = zone
	if !s.clock.end || r.f.time < 0 {
		r.rec.ZoneSeconds = zone
	}
	return p + clfBytes
}

func (r *reader) clock(end bool) *clock {
	if end {
		return &r.clocks[1]
	}
	return &r.clocks[0]
}

const clfBytes = len("[17/May/2015:10:05:03 +0000]")

// A time is read as four words of eight bytes, at bytes 0, 8, 16 and 20: "[00/???/", "0000:00:",
// "00:00 ?0" and "0 ?0000]". In each word, clf is the text with '0' for a digit. The exclusive or
// of a valid word is below 10 for a digit and below 1 for the other text, so that adding limit sets
// no byte's highest bit. free masks the bytes that are not checked: the month and the zone's sign.
const (
	clf0, limit0, free0 = 0x2f0000002f30305b, 0x7f0000007f76767f, 0xff000000ffffffff
	clf1, limit1        = 0x3a30303a30303030, 0x7f76767f76767676
	clf2, limit2, free2 = 0x30002030303a3030, 0x76007f76767f7676, 0xff00ffffffffffff
	clf3, limit3, free3 = 0x5d30303030002030, 0x7f76767676007f76, 0xffffffffff00ffff
)

// parseCLF parses Apache's default form. It rejects times before 1970 and after 2261, which do not
// fit a row key.
func parseCLF(b *[clfBytes]byte) (seconds int64, zone int32, ok bool) {
	w0 := binary.LittleEndian.Uint64(b[0:])
	t0 := (w0 ^ clf0) & free0
	t1 := binary.LittleEndian.Uint64(b[8:]) ^ clf1
	t2 := (binary.LittleEndian.Uint64(b[16:]) ^ clf2) & free2
	t3 := (binary.LittleEndian.Uint64(b[20:]) ^ clf3) & free3
	bad := (t0 + limit0) | t0 | (t1 + limit1) | t1 | (t2 + limit2) | t2 | (t3 + limit3) | t3
	if bad&0x8080808080808080 != 0 {
		return 0, 0, false
	}
	// Combine two digits to a number in the first one's byte.
	t0, t1, t2, t3 = t0*10+t0>>8, t1*10+t1>>8, t2*10+t2>>8, t3*10+t3>>8
	month := monthOf(uint32(w0>>32) & 0xffffff)
	year, day := int(t1&0xff)*100+int(t1>>16&0xff), int(t0>>8&0xff)
	hour, minute, second := int(t1>>40&0xff), int(t2&0xff), int(t2>>24&0xff)
	zh, zm := int(t3>>24&0xff), int(t3>>40&0xff)
	if month == 0 || day < 1 || day > daysIn(month, year) || hour > 23 || minute > 59 || second > 60 ||
		zh > 23 || zm > 59 || b[22] != '+' && b[22] != '-' {
		return 0, 0, false
	}
	zone = int32(zh*3600 + zm*60)
	if b[22] == '-' {
		zone = -zone
	}
	seconds = daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second) - int64(zone)
	return seconds, zone, seconds >= 0 && seconds < maxSeconds
}

// maxSeconds is 2262-01-01T00:00:00Z, the last New Year that an int64 of
// nanoseconds reaches.
const maxSeconds = 9214646400

// monthOf returns 1 to 12 for Apache's English month names, 0 for anything else.
// The name is a number, its first letter lowest.
func monthOf(name uint32) int {
	switch name {
	case 'J' | 'a'<<8 | 'n'<<16:
		return 1
	case 'F' | 'e'<<8 | 'b'<<16:
		return 2
	case 'M' | 'a'<<8 | 'r'<<16:
		return 3
	case 'A' | 'p'<<8 | 'r'<<16:
		return 4
	case 'M' | 'a'<<8 | 'y'<<16:
		return 5
	case 'J' | 'u'<<8 | 'n'<<16:
		return 6
	case 'J' | 'u'<<8 | 'l'<<16:
		return 7
	case 'A' | 'u'<<8 | 'g'<<16:
		return 8
	case 'S' | 'e'<<8 | 'p'<<16:
		return 9
	case 'O' | 'c'<<8 | 't'<<16:
		return 10
	case 'N' | 'o'<<8 | 'v'<<16:
		return 11
	case 'D' | 'e'<<8 | 'c'<<16:
		return 12
	}
	return 0
}

var monthDays = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func daysIn(month, year int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return monthDays[month]
}

// daysSince1970 counts days in the proleptic Gregorian calendar: years from
// March, so that the leap day comes last.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	return int64(365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719469)
}
