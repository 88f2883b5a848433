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
	// remindAfter is the time after which a state that lasts is sent again.
	remindAfter = 24 * time.Hour
)

// sentLevel is the level of a host that a channel sent last. It is kept over a restart.
type sentLevel struct {
	Level monitor.Level `json:"level"`
	At    time.Time     `json:"at"` // when it was sent
}

// seen is the present level of a host and when it began.
type seen struct {
	level monitor.Level
	since time.Time
}

// channel decides what is sent by one Sender, and when. It is not safe for concurrent use.
type channel struct {
	name     string
	lastSent map[string]sentLevel
	seen     map[string]seen
	// changedAt is the time of the first change that was not sent yet. Zero: there is none.
	changedAt time.Time
	triedAt   time.Time // last attempt
	// The present failure:
	err   error
	since time.Time
	count int // failed attempts
}

func newChannel(name string) *channel {
	return &channel{name: name, lastSent: map[string]sentLevel{}, seen: map[string]seen{}}
}

// next returns the message that is due. nil: none.
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
		m.Changes = c.lasting(now, states)
		m.Reminder = len(m.Changes) > 0
		if !m.Reminder {
			m.Changes = c.again(states)
		}
		if len(m.Changes) == 0 {
			return nil
		}
	} else if now.Sub(c.changedAt) < wait {
		return nil
	}
	return m
}

// changes returns the states that differ from what was sent, the worst first.
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
	for host, t := range c.lastSent { // hosts that are not watched any more
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
	return cmp.Or(c.lastSent[host].Level, monitor.Okay)
}

// lasting returns all states with a problem that is not acknowledged, if one of them was sent
// remindAfter ago or earlier, else nil.
func (c *channel) lasting(now time.Time, states []State) (all []Change) {
	due := false
	for _, s := range states {
		if s.Level == monitor.Okay || s.Acknowledged != "" {
			continue
		}
		all = append(all, Change{s, s.Level, c.seen[s.Host].since})
		due = due || now.Sub(c.lastSent[s.Host].At).Abs() >= remindAfter // it may be of a clock that was ahead
	}
	if !due {
		return nil
	}
	sortChanges(all)
	return all
}

// again returns the state of the process if the last attempt failed: what could not be sent is over,
// and without another attempt the failure would last until the next change.
func (c *channel) again(states []State) (own []Change) {
	for _, s := range states {
		if s.Host == "" && c.err != nil {
			own = append(own, Change{s, s.Level, c.seen[s.Host].since})
		}
	}
	return own
}

// sent records the result of sending m.
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
			delete(c.lastSent, x.Host)
		} else {
			c.lastSent[x.Host] = sentLevel{x.Level, now}
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
