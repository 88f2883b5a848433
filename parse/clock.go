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

// Letters for the conversions that mod_log_config adds to strftime.
const (
	epochSeconds   = '\x01' + iota
	epochTenDigits // %{sec}t directly followed by another number
	epochMillis
	epochMicros
	fracMillis
	fracMicros
)

// unpadded marks a conversion without padding, %-d.
const unpadded = 0x80

// strftimeAliases are conversions that are short for others (C locale, as in httpd).
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

// local reports whether the format has a wall clock time, which needs a zone.
func (c *clockFormat) local() bool {
	return !c.clf && slices.ContainsFunc(c.letters(), func(l byte) bool { return strings.IndexByte("HIklYyCdejmbB", l) >= 0 })
}

// zoned reports whether the format has a zone or counts from 1970.
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

// clock collects the values of the time directives of one moment.
type clock struct {
	year, month, day, yearDay  int
	hour, minute, second       int
	century, shortYear         int
	nanos                      int64
	epochNanos                 int64
	zone                       int32
	twelve, hasHalf, pm        bool
	zoneName                   [8]byte // a %Z that is not an offset
	zoneNameBytes              int
	hasYear, hasShort, hasCent bool
	hasEpoch, hasZone, hasDay  bool
	seen                       uint64 // parts that were read, a bit each
}

// setEpoch sets a count from 1970. If several have the same moment with different precision,
// %{sec}t and %{usec}t, the largest is the most precise.
func (c *clock) setEpoch(nanos int64) {
	c.epochNanos, c.hasEpoch = max(c.epochNanos, nanos), true
}

// moment combines the parts. A wall clock time without a zone is in zone; in the hour that is
// repeated in autumn it is the earlier of the two.
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

// named returns the moment with the wall clock of t at which the zone has the name that was read
// (%Z). t is the first such moment; in autumn there may be a second.
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

// earlier returns the first moment with the wall clock of t. time.Date does not define which of two
// it returns; the zone some hours before shows whether there are two.
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

// setTime sets the time fields that are combined from several directives, and the record's time.
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
		if clocks[i].seen != f.moment[i] { // a part is missing
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
		setDated(rec, &rec.Values[field])
	}
}
