package query

import "sluice/schema"

// Summary counts entries. It is not safe for concurrent use.
type Summary interface {
	// Add takes one entry, of which it keeps nothing. After an error the summary
	// is of no use.
	Add(e *schema.Entry) error
	// Report returns what was counted so far.
	Report() Report
}

// Report is what a summary counted: a group a row.
type Report struct {
	// Key is what the groups are called: a field's name; "" when there is but one group.
	Key    string
	Groups []Group
	// Approximate: counts can be too high, by no more than their Excess, and
	// groups left out can have had up to Floor entries.
	Approximate bool
	Floor       int64
	// Bars: the groups follow one another and are worth drawing.
	Bars bool
}

// Group is the number of entries that have one value.
type Group struct {
	// Value is the field's text; Null where it has none.
	Value string
	Null  bool
	// Number: Value is a number.
	Number bool
	Count  int64
	Excess int64
}

// Count is the number of entries.
type Count struct{ entries int64 }

// Add implements [Summary].
func (c *Count) Add(*schema.Entry) error { c.entries++; return nil }

// Report implements [Summary].
func (c *Count) Report() Report { return Report{Groups: []Group{{Count: c.entries}}} }
