package query

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeForms lists the accepted forms, for the error of a time.
const timeForms = "2015-05-17, 2015-05-17 10:05, 2015-05-17T10:05:03Z, 17/May/2015:10:05:03 +0000, now, today, yesterday, -2h, -7d, or seconds since 1970"

// errTime marks an invalid time or duration.
var errTime = errors.New("not a time")

// timeLayouts are tried in turn; those without a zone are in the caller's.
var timeLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05-0700",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	"02/Jan/2006:15:04:05 -0700", "02/Jan/2006:15:04:05", "02/Jan/2006:15:04", "02/Jan/2006",
}

// ParseTime parses a time as nanoseconds since 1970: RFC 3339 and shorter forms of it, Apache's %t
// with or without brackets, "now", "today" and "yesterday" (their midnight), "-2h" (before now;
// units as in [ParseLast]), or seconds since 1970 (nine digits or more, optionally with a
// fraction). A time without a zone is in zone; nil is UTC. The error wraps errTime.
func ParseTime(s string, now time.Time, zone *time.Location) (int64, error) {
	if zone == nil {
		zone = time.UTC
	}
	t, ok := readTime(strings.TrimSpace(s), now.In(zone))
	if !ok {
		return 0, fmt.Errorf("%w: %q: use %s", errTime, s, timeForms)
	}
	if t.Before(time.Unix(0, 0)) || t.After(time.Unix(0, math.MaxInt64)) {
		return 0, fmt.Errorf("%w: %q is not between 1970 and 2262", errTime, s)
	}
	return t.UnixNano(), nil
}

func readTime(s string, now time.Time) (time.Time, bool) {
	switch strings.ToLower(s) {
	case "now":
		return now, true
	case "today", "yesterday":
		day := now.Day()
		if len(s) == len("yesterday") {
			day--
		}
		return time.Date(now.Year(), now.Month(), day, 0, 0, 0, 0, now.Location()), true
	}
	if ago, ok := strings.CutPrefix(s, "-"); ok {
		d, err := ParseLast(ago)
		return now.Add(-d), err == nil
	}
	if t, ok := readSeconds(s); ok {
		return t, true
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// readSeconds parses seconds since 1970. Fewer than nine digits are more likely a year or a
// mistake.
func readSeconds(s string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(whole) < 9 || !isDigits(whole) || fraction != "" && (!isDigits(fraction) || len(fraction) > 9) {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds > math.MaxInt64/int64(time.Second) {
		return time.Time{}, false
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(seconds, nanos), err == nil
}

var units = map[string]time.Duration{
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// ParseLast parses a duration: whole numbers of s, m, h, d (24 hours) and w, one after another,
// "90m" or "1d12h". It must be greater than 0. The error wraps errTime.
func ParseLast(s string) (time.Duration, error) {
	var total time.Duration
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || digits == len(rest) {
			return 0, lastError(s)
		}
		unit := units[rest[digits:digits+1]]
		if unit == 0 || n > int64((math.MaxInt64-total)/unit) {
			return 0, lastError(s)
		}
		total += time.Duration(n) * unit
		rest = rest[digits+1:]
	}
	if total == 0 {
		return 0, lastError(s)
	}
	return total, nil
}

func lastError(s string) error {
	return fmt.Errorf("%w: a length of %q: use numbers of s, m, h, d or w, such as 90m, 24h, 7d, 1d12h, up to 292 years", errTime, s)
}
