package soak

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// planText returns a plan as text, in the order of the events' times. Each line has an event's time,
// its duration, its random number and the name of the fault. A part of the lines is a plan too.
func planText(plan []event) string {
	plan = slices.Clone(plan)
	slices.SortStableFunc(plan, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	for _, e := range plan {
		fmt.Fprintf(&b, "%v %v %d %s\n", e.at, e.hold, e.n, e.fault.name)
	}
	return b.String()
}

// parsePlan reads the text of a plan. Empty lines and lines that begin with # are comments. faults are
// those that it may name.
func parsePlan(text string, faults []fault) ([]event, error) {
	plan := []event{}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		e, err := parseEvent(strings.Fields(line), faults)
		if err != nil {
			return nil, fmt.Errorf("soak: line %d of the plan, %q: %w", i+1, line, err)
		}
		plan = append(plan, e)
	}
	slices.SortStableFunc(plan, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return plan, nil
}

// parseEvent reads the words of a line.
func parseEvent(words []string, faults []fault) (e event, err error) {
	if len(words) < 4 {
		return e, fmt.Errorf("want the time, the duration, a number and the fault, for example: 4s 2s 17 %s", faults[0].name)
	}
	for i, d := range []*time.Duration{&e.at, &e.hold} {
		if *d, err = time.ParseDuration(words[i]); err == nil && *d < 0 {
			err = fmt.Errorf("%s is negative", words[i])
		}
		if err != nil {
			return e, err
		}
	}
	if e.n, err = strconv.ParseUint(words[2], 10, 64); err != nil {
		return e, err
	}
	name := strings.Join(words[3:], " ")
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
	if i < 0 {
		return e, fmt.Errorf("no fault has the name %q; a seed determines which data node is killed", name)
	}
	e.fault = &faults[i]
	return e, nil
}

// events returns the events of a soak with these faults: those of the text replay, or of plan, or
// drawn from the seed.
func (c *config) events(faults []fault) ([]event, error) {
	switch {
	case c.replay != "":
		return parsePlan(c.replay, faults)
	case c.plan != nil:
		return c.plan, nil
	}
	return drawPlan(c.seed, faults, c.length), nil
}
