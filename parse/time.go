package parse

import (
	"sluice/schema"
)

// readTime reads %t, or one %{…}t of a time that is put together from several.
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
	const clfBytes = len("[17/May/2015:10:05:03 +0000]")
	if len(r.line)-p < clfBytes {
		return p, "a time like [17/May/2015:10:05:03 +0000] is expected"
	}
	seconds, zone, ok := parseCLF((*[clfBytes]byte)(r.line[p:]))
	if !ok {
		return p, "a time like [17/May/2015:10:05:03 +0000] is expected"
	}
	v := &r.rec.Values[s.field]
	v.Num, v.Start, v.End, v.State = seconds*1e9, uint32(p+1), uint32(p+clfBytes-1), schema.InLine
	if !s.clock.end || r.f.time < 0 {
		r.rec.ZoneSeconds = zone
	}
	if r.f.parts {
		c := r.clock(s.clock.end)
		c.setEpoch(seconds * 1e9)
		c.seen |= s.part
		c.zone, c.hasZone = zone, true
	}
	return p + clfBytes, ""
}

func (r *reader) clock(end bool) *clock {
	if end {
		return &r.clocks[1]
	}
	return &r.clocks[0]
}

// parseCLF reads Apache's own time. Years before 1970 and after 2261 do not fit
// a row key and are refused.
func parseCLF(b *[28]byte) (seconds int64, zone int32, ok bool) {
	if b[0] != '[' || b[3] != '/' || b[7] != '/' || b[12] != ':' || b[15] != ':' || b[18] != ':' || b[21] != ' ' || b[27] != ']' {
		return 0, 0, false
	}
	month := monthOf(b[4], b[5], b[6])
	bad := uint(0)
	two := func(i int) int {
		hi, lo := uint(b[i]-'0'), uint(b[i+1]-'0')
		if hi > 9 || lo > 9 {
			bad = 1
		}
		return int(hi*10 + lo)
	}
	day, year := two(1), two(8)*100+two(10)
	hour, minute, second := two(13), two(16), two(19)
	zh, zm := two(23), two(25)
	if bad != 0 || month == 0 || day < 1 || day > daysIn(month, year) || hour > 23 || minute > 59 || second > 60 ||
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
func monthOf(a, b, c byte) int {
	switch uint32(a)<<16 | uint32(b)<<8 | uint32(c) {
	case 'J'<<16 | 'a'<<8 | 'n':
		return 1
	case 'F'<<16 | 'e'<<8 | 'b':
		return 2
	case 'M'<<16 | 'a'<<8 | 'r':
		return 3
	case 'A'<<16 | 'p'<<8 | 'r':
		return 4
	case 'M'<<16 | 'a'<<8 | 'y':
		return 5
	case 'J'<<16 | 'u'<<8 | 'n':
		return 6
	case 'J'<<16 | 'u'<<8 | 'l':
		return 7
	case 'A'<<16 | 'u'<<8 | 'g':
		return 8
	case 'S'<<16 | 'e'<<8 | 'p':
		return 9
	case 'O'<<16 | 'c'<<8 | 't':
		return 10
	case 'N'<<16 | 'o'<<8 | 'v':
		return 11
	case 'D'<<16 | 'e'<<8 | 'c':
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
