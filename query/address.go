package query

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"sluice/schema"
)

// addressForms lists the accepted forms, for the error of an address.
const addressForms = "an address (10.1.2.3), a block (10.0.0.0/8 or 10.*), a range (10.1.2.3-10.1.2.9) or a host name (web.example.org or *.example.org)"

// address makes a filter for the forms of one or several clients.
func address(field, text string) (*schema.Filter, error) {
	inner, bracketed := strings.CutPrefix(text, "[")
	if bracketed {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return nil, fmt.Errorf("%s for %s; leave out what follows the bracket", addressForms, field)
		}
		text = inner
	}
	if a, err := netip.ParseAddr(text); err == nil && !strings.Contains(a.Zone(), "/") { // a block has no zone
		return oneAddress(field, a), nil
	}
	if bracketed {
		return nil, fmt.Errorf("an IPv6 address in the brackets for %s", field)
	}
	if low, high, ok := strings.Cut(text, "-"); ok {
		if a, err := netip.ParseAddr(low); err == nil {
			return addressRange(field, a, high)
		}
	}
	block := text
	if strings.HasSuffix(text, "*") && !strings.HasPrefix(text, "*") {
		if b, ok := starBlock(text); ok {
			block = b
		}
	}
	if p, err := netip.ParsePrefix(block); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return within(field, p), nil
	}
	return hostName(field, text)
}

func within(field string, p netip.Prefix) *schema.Filter {
	return &schema.Filter{Op: schema.Within, Field: field, Kind: schema.Addr, Text: p.Masked().String()}
}

// oneAddress matches an address in any spelling, and its zone if it has one.
func oneAddress(field string, a netip.Addr) *schema.Filter {
	zone := a.Zone()
	a = a.Unmap().WithZone("")
	f := within(field, netip.PrefixFrom(a, a.BitLen()))
	if zone == "" {
		return f
	}
	return join(schema.And, []*schema.Filter{f, {Op: schema.Matches, Field: field, Text: "%" + regexp.QuoteMeta(zone) + "$"}})
}

// starBlock converts 192.0.2.* or 2001:db8:* to a block: whole parts, then stars.
func starBlock(text string) (string, bool) {
	separator, parts, bits := ".", 4, 8
	if strings.Contains(text, ":") {
		separator, parts, bits = ":", 8, 16
	}
	given := strings.Split(text, separator)
	n := len(given)
	for n > 0 && given[n-1] == "*" {
		n--
	}
	if n == 0 || n == len(given) || len(given) > parts {
		return "", false
	}
	for _, part := range given[:n] {
		if part == "" || strings.Contains(part, "*") {
			return "", false
		}
	}
	whole := strings.Join(given[:n], separator)
	if separator == ":" {
		whole += "::"
	} else {
		whole += strings.Repeat(".0", parts-n)
	}
	return whole + "/" + strconv.Itoa(n*bits), true
}

// addressRange matches the addresses from low to high, both included; high may be only the last
// part of an IPv4 address.
func addressRange(field string, low netip.Addr, text string) (*schema.Filter, error) {
	if isDigits(text) && low.Is4() {
		s := low.String()
		text = s[:strings.LastIndexByte(s, '.')+1] + text
	}
	high, err := netip.ParseAddr(text)
	low, high = low.Unmap(), high.Unmap()
	if err != nil || low.Is4() != high.Is4() || low.Zone() != "" || high.Zone() != "" || high.Less(low) {
		return nil, fmt.Errorf("a range for %s from a lower to a higher address (10.1.2.3-10.1.2.9)", field)
	}
	var blocks []*schema.Filter
	for {
		p := widest(low, high)
		blocks = append(blocks, within(field, p))
		last := lastOf(p)
		if last == high {
			return join(schema.Or, blocks), nil
		}
		low = last.Next()
	}
}

// widest returns the largest block that begins with low and ends at most at high.
func widest(low, high netip.Addr) netip.Prefix {
	best := netip.PrefixFrom(low, low.BitLen())
	for bits := low.BitLen() - 1; bits >= 0; bits-- {
		p := netip.PrefixFrom(low, bits)
		if p.Masked().Addr() != low || high.Less(lastOf(p)) {
			break
		}
		best = p
	}
	return best
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < p.Addr().BitLen(); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// hostName matches a name, ignoring case; a star at one end matches names with that end or
// beginning.
func hostName(field, text string) (*schema.Filter, error) {
	name := strings.TrimPrefix(text, "*")
	if name == text {
		name = strings.TrimSuffix(text, "*")
	}
	numeric := strings.Trim(name, "0123456789.") == ""
	switch {
	case numeric && name == text && isDigits(strings.ReplaceAll(name, ".", "")) && strings.Count(strings.Trim(name, "."), ".") < 3:
		return nil, fmt.Errorf("%s for %s; write %s.* for all addresses that begin with these numbers", addressForms, field, strings.Trim(name, "."))
	case numeric || strings.ContainsAny(name, "/:*%[] \t\""):
		return nil, fmt.Errorf("%s for %s", addressForms, field)
	case name == text:
		return &schema.Filter{Op: schema.EqualFold, Field: field, Text: text}, nil
	case strings.HasPrefix(text, "*"):
		return &schema.Filter{Op: schema.Matches, Field: field, Text: "(?i)" + regexp.QuoteMeta(name) + "$"}, nil
	}
	return &schema.Filter{Op: schema.Matches, Field: field, Text: "(?i)^" + regexp.QuoteMeta(name)}, nil
}
