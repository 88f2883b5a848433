package scale

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A step is a change at a time of the simulated day.
type step struct {
	at   time.Duration
	verb string
	n    int     // collectors
	part float64 // of hosts, or of HBase's rate
	over time.Duration
	text string
}

// parsePlan parses a plan, a step a line; empty lines and those that begin with # are skipped:
//
//	09:00 kill 3 for 20m       three collectors stop and start again
//	10:00 lose 1               a collector and its disk are gone
//	11:00 add 2 over 10m       collectors are added; each agent is restarted with the new list within 10 minutes
//	13:00 split 50% for 1h     a part of the hosts cannot reach half of the collectors
//	15:00 hbase 10% for 1h     HBase writes at a part of its rate
func parsePlan(s string) ([]step, error) {
	var plan []step
	scanner := bufio.NewScanner(strings.NewReader(s))
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		x, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("plan, line %d, %q: %w", n, line, err)
		}
		plan = append(plan, x...)
	}
	slices.SortStableFunc(plan, func(a, b step) int { return int(a.at - b.at) })
	return plan, nil
}

// parseStep returns the step of a line, and the one that ends it.
func parseStep(line string) ([]step, error) {
	f := strings.Fields(line)
	if len(f) < 3 {
		return nil, fmt.Errorf("want TIME VERB AMOUNT [for TIME]")
	}
	clock, err := time.Parse("15:04", f[0])
	if err != nil {
		return nil, fmt.Errorf("time: %w", err)
	}
	x := step{at: time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute, verb: f[1], text: line}
	if percent, found := strings.CutSuffix(f[2], "%"); found {
		p, err := strconv.ParseFloat(percent, 64)
		if err != nil {
			return nil, fmt.Errorf("part: %w", err)
		}
		x.part = p / 100
	} else if x.n, err = strconv.Atoi(f[2]); err != nil {
		return nil, fmt.Errorf("number: %w", err)
	}
	if len(f) == 5 {
		if x.over, err = time.ParseDuration(f[4]); err != nil {
			return nil, err
		}
	}
	switch x.verb {
	case "add", "lose":
		return []step{x}, nil
	case "kill", "split", "hbase":
		end := x
		end.at, end.verb = x.at+x.over, "end "+x.verb
		return []step{x, end}, nil
	}
	return nil, fmt.Errorf("unknown verb %s", x.verb)
}
