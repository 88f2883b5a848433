package collectortest

import (
	"fmt"
	"strings"
	"time"
)

// Days is an archive pattern with one directory for each day and host.
type Days struct{}

// Period returns the day of a time.
func (Days) Period(t time.Time) (start, end time.Time) {
	start = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	return start, start.AddDate(0, 0, 1)
}

// Expand returns the directory of a day and a host.
func (Days) Expand(t time.Time, host string, _ map[string]string) (string, error) {
	return t.Format("20060102") + "/" + host, nil
}

// Group returns "": the pattern has no labels.
func (Days) Group(map[string]string) string { return "" }

// Log returns a log of 17 and 18 May 2015, two hours east of UTC. Its lines jump over midnight, some
// do not parse and have the word bad, and the last one has no newline.
func Log(lines int) string {
	var b strings.Builder
	for i := range lines {
		if i%7 == 3 {
			fmt.Fprintf(&b, "bad line %d\n", i)
			continue
		}
		fmt.Fprintf(&b, "192.0.2.%d - - [%d/May/2015:23:59:%02d +0200] \"GET /%d HTTP/1.1\" 200 %d\n", i%250, 17+i/20%2, i%60, i, i)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
