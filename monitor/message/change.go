package message

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"sluice/monitor"
)

// State is the state of a host, or of this process if Host is "".
type State struct {
	Host     string            `json:"host"`
	Level    monitor.Level     `json:"level"`
	Problems []monitor.Problem `json:"problems,omitempty"`
	// Acknowledged is the text of an active acknowledgement, which suppresses reminders. "": none.
	Acknowledged string `json:"acknowledged,omitempty"`
}

// Change is a state to send, with the level that was sent before.
type Change struct {
	State
	Was   monitor.Level `json:"was"`
	Since time.Time     `json:"since"` // when this level began
}

// Message is the content of one notification.
type Message struct {
	At      time.Time `json:"at"`
	Process string    `json:"process"` // collector on c1
	// Reminder is true if nothing changed and the problems still exist.
	Reminder bool     `json:"reminder"`
	Changes  []Change `json:"hosts"`
	// More is the number of changes that are not in Changes.
	More int `json:"more,omitempty"`
}

// maxChanges bounds the hosts that one message names.
const maxChanges = 50

// StatesOf returns the states of all hosts and of the process, sorted by host.
func StatesOf(h *monitor.Health) []State {
	own := State{Level: monitor.Okay, Problems: h.Process.Problems}
	states := []State{own}
	for name, x := range h.Metrics {
		s := State{Host: name, Level: x.Status, Problems: x.Problems}
		if x.Acknowledged != nil {
			s.Acknowledged = x.Acknowledged.String()
		}
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.Host, b.Host) })
	return states
}

// subject returns a summary of the message in one line.
func (m *Message) subject() string {
	var names []string
	worst := monitor.Okay
	for _, c := range m.Changes {
		if len(names) < 3 {
			names = append(names, c.name())
		}
		if c.Level == monitor.Failing || c.Level == monitor.Warn && worst == monitor.Okay {
			worst = c.Level
		}
	}
	list := strings.Join(names, ", ")
	if more := len(m.Changes) + m.More - len(names); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if m.Reminder {
		list += " (reminder)"
	}
	return clean(fmt.Sprintf("sluice %s: %s", worst, list))
}

// text returns the message as plain text of several lines.
func (m *Message) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "From the %s at %s.\n", clean(m.Process), m.At.UTC().Format(time.RFC3339))
	for _, c := range m.Changes {
		was := ""
		if c.Was != c.Level {
			was = fmt.Sprintf(" (was %s)", c.Was)
		}
		fmt.Fprintf(&b, "\n%s: %s%s, since %s\n", clean(c.name()), c.Level, was, c.Since.UTC().Format(time.RFC3339))
		if c.Acknowledged != "" {
			fmt.Fprintf(&b, "  %s\n", clean(c.Acknowledged))
		}
		for _, p := range c.Problems {
			fmt.Fprintf(&b, "  %s %s: %s\n", p.Level, p.Kind, clean(p.Text))
		}
	}
	if m.More > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", m.More)
	}
	return b.String()
}

func (c *Change) name() string { return cmp.Or(c.Host, "the process itself") }

// clean replaces what is not printable by spaces, so that names and reasons, which other hosts
// sent, contain no line break and no terminal control sequence.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
}
