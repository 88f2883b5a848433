package parse

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/schema"
)

// clockFormat is one compiled %t or %{…}t.
type clockFormat struct {
	clf   bool   // [17/May/2015:10:05:03 +0000]
	end   bool   // of the request's end
	parts []byte // strftime conversions by letter, literals as 0 and the byte, or an epoch* letter
}

// Letters of our own beside strftime's, for what mod_log_config adds.
const (
	epochSeconds   = '\x01' + iota
	epochTenDigits // %{sec}t with another number right behind it
	epochMillis
	epochMicros
	fracMillis
	fracMicros
)

// unpadded marks a conversion whose number has as many digits as it needs, %-d.
const unpadded = 0x80

// strftimeAliases are conversions that stand for others (C locale, as httpd runs).
var strftimeAliases = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'x': "%m/%d/%y", 'F': "%Y-%m-%d",
	'R': "%H:%M", 'T': "%H:%M:%S", 'X': "%H:%M:%S", 'r': "%I:%M:%S %p", 'h': "%b", '+': "%a %b %e %H:%M:%S %Z %Y",
}

func compileClock(d directive) (clockFormat, error) {
	arg := d.arg
	var c clockFormat
	if rest, ok := strings.CutPrefix(arg, "end"); ok && (rest == "" || rest[0] == ':') {
		c.end, arg = true, strings.TrimPrefix(rest, ":")
	} else if rest, ok := strings.CutPrefix(arg, "begin"); ok && (rest == "" || rest[0] == ':') {
		arg = strings.TrimPrefix(rest, ":")
	}
	switch arg {
	case "":
		c.clf = true
	case "sec":
		c.parts = []byte{epochSeconds}
	case "msec":
		c.parts = []byte{epochMillis}
	case "usec":
		c.parts = []byte{epochMicros}
	case "msec_frac":
		c.parts = []byte{fracMillis}
	case "usec_frac":
		c.parts = []byte{fracMicros}
	default:
		var err error
		if c.parts, err = compileStrftime(nil, arg, d.text); err != nil {
			return c, err
		}
	}
	return c, nil
}

func compileStrftime(parts []byte, format, directive string) ([]byte, error) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			parts = append(parts, 0, format[i])
			continue
		}
		i++
		width := byte(0)
		for i < len(format) && strings.IndexByte("EO_-0", format[i]) >= 0 { // glibc's modifiers
			if format[i] == '-' {
				width = unpadded
			}
			i++
		}
		if i == len(format) {
			return nil, fmt.Errorf("%w: %s ends within a strftime conversion", ErrFormat, directive)
		}
		c := format[i]
		if alias, ok := strftimeAliases[c]; ok {
			var err error
			if parts, err = compileStrftime(parts, alias, directive); err != nil {
				return nil, err
			}
			continue
		}
		switch c {
		case '%':
			parts = append(parts, 0, '%')
		case 'n':
			parts = append(parts, 0, '\n')
		case 't':
			parts = append(parts, 0, '\t')
		default:
			if strings.IndexByte("aAbBCdeHIjklmMpPsSuUVwWyYzZgG", c) < 0 {
				return nil, fmt.Errorf("%w: %s: strftime knows no %%%c", ErrFormat, directive, c)
			}
			parts = append(parts, c|width)
		}
	}
	return parts, nil
}

// local reports whether the format gives a wall clock, which needs a zone.
func (c *clockFormat) local() bool {
	return !c.clf && slices.ContainsFunc(c.letters(), func(l byte) bool { return strings.IndexByte("HIklYyCdejmbB", l) >= 0 })
}

// zoned reports whether the format says its zone or counts from 1970.
func (c *clockFormat) zoned() bool {
	return c.clf || slices.ContainsFunc(c.letters(), func(l byte) bool {
		return l == 'z' || l == 's' || l == epochSeconds || l == epochTenDigits || l == epochMillis || l == epochMicros
	})
}

func (c *clockFormat) letters() []byte {
	var letters []byte
	for i := 0; i < len(c.parts); i++ {
		if c.parts[i] == 0 {
			i++
		} else {
			letters = append(letters, c.parts[i]&^unpadded)
		}
	}
	return letters
}

// clock gathers what a line's time directives say of one moment.
type clock struct {
	year, month, day, yearDay  int
	hour, minute, second       int
	century, shortYear         int
	nanos                      int64
	epochNanos                 int64
	zone                       int32
	twelve, hasHalf, pm        bool
	zoneName                   [8]byte // %Z that is no offset
	zoneNameBytes              int
	hasYear, hasShort, hasCent bool
	hasEpoch, hasZone, hasDay  bool
	seen                       uint64 // parts that were read, a bit each
}

// setEpoch takes a count from 1970. Of several that one moment was cut off to,
// %{sec}t and %{usec}t, the largest is the finest.
func (c *clock) setEpoch(nanos int64) {
	c.epochNanos, c.hasEpoch = max(c.epochNanos, nanos), true
}

// moment puts the parts together. Without a zone of its own the wall clock is
// zone's; in the hour that is repeated in autumn the earlier of both.
func (c *clock) moment(zone *time.Location) (nanos int64, zoneSeconds int32, reason string) {
	const none = "the parts make no date from 1970 to 2261"
	if c.hasEpoch {
		if c.hasZone {
			zoneSeconds = c.zone
		}
		sub := c.epochNanos % 1e9
		whole := c.epochNanos - sub + max(sub, c.nanos)
		if whole < 0 {
			return 0, 0, none
		}
		return whole, zoneSeconds, ""
	}
	if c.twelve && !c.hasHalf {
		return 0, 0, "the hour is one of twelve, and AM or PM (%p) is missing"
	}
	year := c.year
	if !c.hasYear {
		switch {
		case c.hasShort && c.hasCent:
			year = c.century*100 + c.shortYear
		case c.hasShort && c.shortYear < 69: // POSIX: 69–99 are of the last century
			year = 2000 + c.shortYear
		case c.hasShort:
			year = 1900 + c.shortYear
		default:
			return 0, 0, none
		}
	}
	month, day := c.month, c.day
	if c.yearDay > 0 && (month == 0 || !c.hasDay) {
		month, day = 1, c.yearDay
		if day > 337+daysIn(2, year) {
			return 0, 0, none
		}
	} else if month == 0 || !c.hasDay || day > daysIn(month, year) {
		return 0, 0, none
	}
	hour := c.hour
	if c.twelve {
		hour %= 12
		if c.pm {
			hour += 12
		}
	}
	if c.hasZone {
		zone = time.UTC
	}
	t := time.Date(year, time.Month(month), day, hour, c.minute, c.second, int(c.nanos), zone)
	if c.hasZone {
		t = t.Add(-time.Duration(c.zone) * time.Second)
		zoneSeconds = c.zone
	} else {
		var ok bool
		if t, ok = c.named(earlier(t)); !ok {
			return 0, 0, "the zone's name is not that of the time zone given for this log"
		}
		_, offset := t.Zone()
		zoneSeconds = int32(offset)
	}
	if !inRange(t) {
		return 0, 0, none
	}
	return t.UnixNano(), zoneSeconds, ""
}

// named returns the moment with t's wall clock at which the zone has the name that
// was read (%Z). t is the first one, and there may be a second in autumn.
func (c *clock) named(t time.Time) (time.Time, bool) {
	if c.zoneNameBytes == 0 {
		return t, true
	}
	want := string(c.zoneName[:c.zoneNameBytes])
	name, offset := t.Zone()
	if name == want {
		return t, true
	}
	_, after := t.Add(6 * time.Hour).Zone()
	t = t.Add(time.Duration(offset-after) * time.Second)
	name, second := t.Zone()
	return t, name == want && second == after
}

// earlier returns the first moment with t's wall clock. time.Date does not say
// which of two it gives; the zone of some hours before tells whether there are two.
func earlier(t time.Time) time.Time {
	_, now := t.Zone()
	_, before := t.Add(-6 * time.Hour).Zone()
	first := t.Add(time.Duration(now-before) * time.Second)
	if _, offset := first.Zone(); before > now && offset == before {
		return first
	}
	return t
}

// inRange reports whether a row key can hold the time.
func inRange(t time.Time) bool { return t.Unix() >= 0 && t.Unix() < maxSeconds }

// setTime fills the time fields that are put together from several directives,
// and the record's own time.
func (f *Format) setTime(rec *schema.Record, clocks *[2]clock) {
	zone := f.zone
	if zone == nil {
		zone = time.UTC
	}
	for i, field := range [...]int{f.time, f.end} {
		if field < 0 || clocks[i].seen == 0 {
			continue
		}
		v := &rec.Values[field]
		if clocks[i].seen != f.moment[i] { // half a time is none
			*v = schema.Value{}
			continue
		}
		nanos, offset, reason := clocks[i].moment(zone)
		if reason != "" {
			start := int(v.Start)
			*v = schema.Value{}
			if !rec.Err.Set() {
				rec.Err = schema.ParseError{Offset: start, Directive: f.fields[field].Directive, Reason: reason}
			}
			continue
		}
		v.Num = nanos
		if i == 0 || f.time < 0 {
			rec.ZoneSeconds = offset
		}
	}
	field := f.time
	if field < 0 {
		field = f.end
	}
	if field >= 0 {
		rec.Time, rec.Dated = rec.Values[field].Num, rec.Values[field].State != schema.Null
	}
}
