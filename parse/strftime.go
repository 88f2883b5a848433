package parse

import "strconv"

var monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
var dayNames = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// read reads the conversions of one %{…}t from p on. It returns their end, or a reason and the
// position of the error.
func (c *clock) read(parts []byte, line []byte, p int) (int, string) {
	for i := 0; i < len(parts); i++ {
		letter := parts[i]
		if letter == 0 {
			i++
			if p >= len(line) || line[p] != parts[i] {
				return p, "the time differs from its format"
			}
			p++
			continue
		}
		next, ok := c.convert(letter, line, p)
		if !ok {
			return p, "the time differs from its format"
		}
		p = next
	}
	return p, ""
}

// convert reads one conversion.
func (c *clock) convert(letter byte, line []byte, p int) (int, bool) {
	n, next, ok := 0, p, false
	number := func(width, low, high int) bool {
		n, next, ok = digits(line, p, width)
		return ok && (next-p == width || letter&unpadded != 0) && n >= low && n <= high
	}
	switch letter &^ unpadded {
	case 'Y':
		if !number(4, 0, 9999) {
			return p, false
		}
		c.year, c.hasYear = n, true
	case 'C':
		if !number(2, 0, 99) {
			return p, false
		}
		c.century, c.hasCent = n, true
	case 'y':
		if !number(2, 0, 99) {
			return p, false
		}
		c.shortYear, c.hasShort = n, true
	case 'm':
		if !number(2, 1, 12) {
			return p, false
		}
		c.month = n
	case 'd', 'e':
		if !number(2, 1, 31) {
			return p, false
		}
		c.day, c.hasDay = n, true
	case 'j':
		if !number(3, 1, 366) {
			return p, false
		}
		c.yearDay = n
	case 'H', 'k':
		if !number(2, 0, 23) {
			return p, false
		}
		c.hour, c.twelve = n, false
	case 'I', 'l':
		if !number(2, 1, 12) {
			return p, false
		}
		c.hour, c.twelve = n, true
	case 'M':
		if !number(2, 0, 59) {
			return p, false
		}
		c.minute = n
	case 'S':
		if !number(2, 0, 60) {
			return p, false
		}
		c.second = n
	case 'U', 'V', 'W', 'g': // redundant with the date
		if !number(2, 0, 99) {
			return p, false
		}
	case 'u', 'w':
		if !number(1, 0, 7) {
			return p, false
		}
	case 'G':
		if !number(4, 0, 9999) {
			return p, false
		}
	default:
		return c.convertText(letter&^unpadded, line, p)
	}
	return next, true
}

// convertText reads names, zones and counts from 1970.
func (c *clock) convertText(letter byte, line []byte, p int) (int, bool) {
	switch letter {
	case 'b', 'B':
		i, next := name(monthNames[:], line, p, letter == 'B')
		c.month = i + 1
		return next, i >= 0
	case 'a', 'A':
		i, next := name(dayNames[:], line, p, letter == 'A')
		return next, i >= 0
	case 'p', 'P':
		if len(line)-p < 2 || line[p+1]|0x20 != 'm' || line[p]|0x20 != 'a' && line[p]|0x20 != 'p' {
			return p, false
		}
		c.pm, c.hasHalf = line[p]|0x20 == 'p', true
		return p + 2, true
	case 'z':
		return c.readZone(line, p)
	case 'Z':
		return c.readZoneName(line, p)
	case fracMillis, fracMicros:
		width, unit := 3, int64(1e6)
		if letter == fracMicros {
			width, unit = 6, 1e3
		}
		n, next, ok := digits(line, p, width)
		c.nanos = max(c.nanos, int64(n)*unit) // of two fractions the more precise one is used
		return next, ok && next-p == width
	}
	return c.readEpoch(letter, line, p)
}

// readEpoch reads seconds, milli- or microseconds since 1970.
func (c *clock) readEpoch(letter byte, line []byte, p int) (int, bool) {
	next := p
	for next < len(line) && line[next]-'0' <= 9 {
		next++
	}
	if letter == epochTenDigits {
		next = min(next, p+10)
	}
	n, err := strconv.ParseInt(string(line[p:min(next, p+19)]), 10, 64)
	unit := int64(1e9)
	switch letter {
	case epochMillis:
		unit = 1e6
	case epochMicros:
		unit = 1e3
	}
	if err != nil || next-p > 18 || n > (1<<63-1)/unit {
		return p, false
	}
	c.setEpoch(n * unit)
	return next, true
}

// readZone reads +0100, +01:00 or Z.
func (c *clock) readZone(line []byte, p int) (int, bool) {
	if p < len(line) && line[p] == 'Z' {
		c.zone, c.hasZone = 0, true
		return p + 1, true
	}
	if len(line)-p < 5 || line[p] != '+' && line[p] != '-' {
		return p, false
	}
	h, q, ok := digits(line, p+1, 2)
	if ok && q < len(line) && line[q] == ':' {
		q++
	}
	m, next, ok2 := digits(line, q, 2)
	if !ok || !ok2 || next-q != 2 || line[p+1] == ' ' || line[q] == ' ' || h > 23 || m > 59 {
		return p, false
	}
	c.zone, c.hasZone = int32(h*3600+m*60), true
	if line[p] == '-' {
		c.zone = -c.zone
	}
	return next, true
}

// readZoneName reads %Z: a name, or the offset (+03, -0330) of a zone that has
// none. Of names only UTC and GMT say an offset; EST is of two continents.
func (c *clock) readZoneName(line []byte, p int) (int, bool) {
	next := p
	if p < len(line) && (line[p] == '+' || line[p] == '-') {
		for next++; next < len(line) && line[next]-'0' <= 9; {
			next++
		}
		switch next - p {
		case len("+0330"):
			return c.readZone(line[:next], p)
		case len("+03"):
			n, _, _ := digits(line, p+1, 2)
			c.zone, c.hasZone = int32(n)*3600, n < 24
			if line[p] == '-' {
				c.zone = -c.zone
			}
			return next, n < 24
		}
		return p, false
	}
	for next < len(line) && line[next]|0x20 >= 'a' && line[next]|0x20 <= 'z' {
		next++
	}
	name := line[p:next]
	if len(name) == 0 || len(name) > len(c.zoneName) {
		return p, false
	}
	if s := string(name); s == "UTC" || s == "GMT" {
		c.zone, c.hasZone = 0, true
	} else {
		c.zoneNameBytes = copy(c.zoneName[:], name)
	}
	return next, true
}

// digits reads a number of at most width characters; a space may stand for its
// first digits, as %e and %k write it.
func digits(line []byte, p, width int) (n, next int, ok bool) {
	end := min(p+width, len(line))
	for p < end-1 && line[p] == ' ' {
		p++
	}
	next = p
	for next < end && line[next]-'0' <= 9 {
		n = n*10 + int(line[next]-'0')
		next++
	}
	return n, next, next > p
}

// name reads a month's or a day's name, whole or its first three letters.
func name(names []string, line []byte, p int, whole bool) (int, int) {
	for i, s := range names {
		if !whole {
			s = s[:3]
		}
		if hasPrefixAt(line, p, s) {
			return i, p + len(s)
		}
	}
	return -1, p
}
