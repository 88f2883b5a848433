package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxText is the maximum length of a reason or a name on a page, in characters.
const maxText = 300

// visible makes a text from another machine safe to show: characters that are not printable, such
// as those that change the direction of writing, are replaced, and a text longer than maxText is
// cut.
func visible(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		switch n++; {
		case n > maxText:
			return -1
		case n == maxText:
			return '…'
		case r == ' ' || unicode.IsPrint(r):
			return r
		}
		return '\uFFFD'
	}, s)
}

// ageText returns an age in at most two units; "–" for no age (0 or less).
func ageText(seconds float64) string {
	switch d := time.Duration(min(seconds, 1e9) * float64(time.Second)); {
	case seconds <= 0:
		return "–"
	case d < 950*time.Millisecond:
		return "< 1 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case d < time.Hour:
		return two(int(d/time.Minute), "min", int(d%time.Minute/time.Second), "s")
	case d < 48*time.Hour:
		return two(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "min")
	default:
		return two(int(d/(24*time.Hour)), "d", int(d%(24*time.Hour)/time.Hour), "h")
	}
}

func two(n int, unit string, m int, smaller string) string {
	if m == 0 || n >= 10 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%d %s %d %s", n, unit, m, smaller)
}

// bytesText returns a number of bytes in a decimal unit.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", max(n, 0))
	}
	v, unit := float64(n), -1
	for v >= 999.5 && unit < 5 {
		v, unit = v/1000, unit+1
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %cB", v, "kMGTPE"[unit])
	}
	return fmt.Sprintf("%.0f %cB", v, "kMGTPE"[unit])
}

// countText returns a number with its thousands separated.
func countText(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// rateText returns a number of lines per second with the significant digits.
func rateText(v float64) string {
	switch {
	case v <= 0:
		return "0"
	case v < 0.01:
		return "< 0.01"
	case v < 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 10:
		return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
	}
	return countText(int64(math.Round(v)))
}

// shareText returns part as a percentage of whole.
func shareText(part, whole int64) string {
	switch share := 100 * float64(part) / float64(max(whole, 1)); {
	case part == 0:
		return "0 %"
	case share < 0.1:
		return "< 0.1 %"
	case share < 10:
		return fmt.Sprintf("%.1f %%", share)
	default:
		return fmt.Sprintf("%.0f %%", share)
	}
}
