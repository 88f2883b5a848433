package parse

import "sluice/schema"

// validAddr reports whether b is a value that Apache writes for an address: an IPv4 or IPv6
// address, a host name, or "-".
func validAddr(b []byte) bool {
	return string(b) == "-" || validIP(b) || validHost(b)
}

// validIP reports whether b is an IPv4 or IPv6 address in text form; an IPv6 address may have a
// zone.
func validIP(b []byte) bool { return validIPv4(b) || validIPv6(b) }

func validIPv4(b []byte) bool {
	if len(b) >= windowBytes {
		return false
	}
	var window [windowBytes]byte
	copy(window[:], b)
	_, length := quadAt(&window)
	return length == len(b) && length > 0
}

// validIPv6 follows RFC 4291: eight groups, one run of which may be "::"; the last two may be a
// dotted quad.
func validIPv6(b []byte) bool {
	groups, double := 0, false
	for i := 0; ; {
		start := i
		for i < len(b) && hex(b[i]) >= 0 {
			i++
		}
		switch {
		case i < len(b) && b[i] == '.':
			end := i
			for end < len(b) && b[end] != '%' {
				end++
			}
			if start == 0 || !validIPv4(b[start:end]) {
				return false
			}
			groups, i = groups+2, end
		case i-start > 4:
			return false
		case i > start:
			groups++
		}
		if i == len(b) || b[i] == '%' {
			ended := i > start || i >= 2 && b[i-1] == ':' && b[i-2] == ':'
			return ended && (groups == 8 && !double || groups < 8 && double) && (i == len(b) || validZone(b[i+1:]))
		}
		if b[i] != ':' {
			return false
		}
		switch {
		case i+1 < len(b) && b[i+1] == ':':
			if double {
				return false
			}
			double = true
			i += 2
		case start == i: // a colon neither after a group nor part of "::"
			return false
		default:
			i++
		}
	}
}

// validZone reports whether b is the name or number of an interface.
func validZone(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' || c == '"' || c == ',' || c == '%' {
			return false
		}
	}
	return len(b) > 0
}

// maxHostBytes is the maximum length of a DNS name.
const maxHostBytes = 255

// validHost reports whether b can be a host name. Its last label is not a number (RFC 1123, section
// 2.1), so that an invalid address is not taken as a name.
func validHost(b []byte) bool {
	if len(b) == 0 || len(b) > maxHostBytes {
		return false
	}
	label, digits := 0, true // of the current label
	lastDigits := false
	for i, c := range b {
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			if i+1 < len(b) { // a name may end with a dot
				label, digits = 0, true
			}
			continue
		case c-'0' <= 9:
		case c|0x20-'a' <= 'z'-'a', c == '-', c == '_':
			digits = false
		default:
			return false
		}
		label++
		lastDigits = digits
	}
	return label > 0 && !lastDigits
}

// readIPv4 reads a dotted quad and its number. For anything else (IPv6, a host name, "-") it
// returns -1, and read must read it.
func (r *reader) readIPv4(s *step, p int) int {
	var address uint32
	var i int
	if p+windowBytes <= len(r.line) {
		address, i = quadAt((*[windowBytes]byte)(r.line[p:]))
	} else {
		var window [windowBytes]byte
		copy(window[:], r.line[min(p, len(r.line)):])
		address, i = quadAt(&window)
	}
	if i += p; i == p || s.tail || !s.hasLit(r.line, i) || s.last && i+len(s.lit) != len(r.line) {
		return -1
	}
	r.setIPv4(s, p, i, address)
	return i
}

func (r *reader) setIPv4(s *step, p, end int, address uint32) {
	v := &r.rec.Values[s.field]
	v.Num, v.Start, v.End, v.State, v.IPv4 = int64(address), uint32(p), uint32(end), schema.InLine, true
}

// setAddr stores [p, end), a valid address.
func (r *reader) setAddr(s *step, p, end int) {
	if n := end - p; n < windowBytes {
		var window [windowBytes]byte
		copy(window[:], r.line[p:end])
		if address, length := quadAt(&window); length == n && n > 0 {
			r.setIPv4(s, p, end, address)
			return
		}
	}
	r.setText(s, p, end)
}
