package message

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sluice/monitor"
)

const (
	// minInterval is the least time between two messages, or attempts, of a channel.
	minInterval = time.Minute
	// remindAfter a state that lasts is told again.
	remindAfter = 24 * time.Hour
)

// told is what a channel was told of a host. It is kept over a restart.
type told struct {
	Level monitor.Level `json:"level"`
	At    time.Time     `json:"at"` // when it was told
}

// seen is since when a host has its level.
type seen struct {
	level monitor.Level
	since time.Time
}

// channel decides what is sent when. It is not safe for concurrent use.
type channel struct {
	name string
	told map[string]told
	seen map[string]seen
	// changedAt is when the first change was seen that was not told; zero: there is none.
	changedAt time.Time
	triedAt   time.Time // last attempt
	// Of the present failure:
	err   error
	since time.Time
	count int
}

func newChannel(name string) *channel {
	return &channel{name: name, told: map[string]told{}, seen: map[string]seen{}}
}

// next returns the message that is due, nil: none.
func (c *channel) next(now time.Time, wait time.Duration, states []State) *Message {
	changes := c.changes(now, states)
	if len(changes) == 0 {
		c.changedAt = time.Time{}
	} else if c.changedAt.IsZero() {
		c.changedAt = now
	}
	if !c.triedAt.IsZero() && now.Sub(c.triedAt) < minInterval {
		return nil
	}
	m := &Message{At: now, Changes: changes}
	if len(changes) == 0 {
		if m.Changes = c.lasting(now, states); len(m.Changes) == 0 {
			return nil
		}
		m.Reminder = true
	} else if now.Sub(c.changedAt) < wait {
		return nil
	}
	return m
}

// changes are the states that differ from what was told, the worst first.
func (c *channel) changes(now time.Time, states []State) (changes []Change) {
	present := map[string]bool{}
	for _, s := range states {
		present[s.Host] = true
		x, known := c.seen[s.Host]
		if !known || x.level != s.Level {
			x = seen{s.Level, now}
			c.seen[s.Host] = x
		}
		if was := c.was(s.Host); was != s.Level {
			changes = append(changes, Change{s, was, x.since})
		}
	}
	for host, t := range c.told { // nobody watches it any more
		if !present[host] && t.Level != monitor.Okay {
			changes = append(changes, Change{State{Host: host, Level: monitor.Okay}, t.Level, now})
		}
	}
	for host := range c.seen {
		if !present[host] {
			delete(c.seen, host)
		}
	}
	sortChanges(changes)
	return changes
}

func (c *channel) was(host string) monitor.Level {
	return cmp.Or(c.told[host].Level, monitor.Okay)
}

// lasting are all states that are not well and not acknowledged, if one of them was told a
// day ago.
func (c *channel) lasting(now time.Time, states []State) (all []Change) {
	due := false
	for _, s := range states {
		if s.Level == monitor.Okay || s.Acknowledged != "" {
			continue
		}
		all = append(all, Change{s, s.Level, c.seen[s.Host].since})
		due = due || now.Sub(c.told[s.Host].At) >= remindAfter
	}
	if !due {
		return nil
	}
	sortChanges(all)
	return all
}

// sent notes how sending went.
func (c *channel) sent(now time.Time, m *Message, err error) {
	c.triedAt = now
	if err != nil {
		if c.err == nil {
			c.since, c.count = now, 0
		}
		c.err = err
		c.count++
		return
	}
	c.err, c.changedAt = nil, time.Time{}
	for _, x := range m.Changes {
		if x.Level == monitor.Okay {
			delete(c.told, x.Host)
		} else {
			c.told[x.Host] = told{x.Level, now}
		}
	}
}

func sortChanges(changes []Change) {
	rank := func(l monitor.Level) int {
		return slices.Index([]monitor.Level{monitor.Failing, monitor.Warn, monitor.Okay}, l)
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(rank(a.Level), rank(b.Level)), strings.Compare(a.Host, b.Host))
	})
}
