package query

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/schema"
)

// ErrQuestion marks a question that cannot be asked of these entries.
var ErrQuestion = errors.New("cannot answer")

// Names of groups by time, for [Question.By]. A format's own field of that name goes
// before.
const (
	HourKey = "hour" // the start of the hour, RFC 3339
	DayKey  = "day"  // the date
)

// Question is what is asked of entries: how many there are, in all or in groups, and what
// their values come to.
type Question struct {
	// By are the fields whose values make the groups, or HourKey and DayKey.
	By []string
	// Every, if it is not 0, makes groups of the entries' time instead: spans of this
	// width on the wall clock, from the first entry's to the last's, empty ones too.
	Every time.Duration
	// Zone is that of the spans of time; nil is UTC.
	Zone *time.Location
	// Measures are calculated for each group, beside its count.
	Measures []Measure
	// Order is the column that the groups are sorted by; the zero Order sorts groups of
	// time by their time, and others by their count, the greatest first.
	Order Order
	// Limit, if > 0, is how many groups are wanted.
	Limit int
	// Frequent says that the most frequent groups are wanted, which need not be exact:
	// where the groups take more memory than MaxBytes, counts can be too high by a known
	// number. It goes with one field, a Limit, and neither Measures nor Order.
	Frequent bool
	// MaxBytes bounds the memory of the groups; 0 is DefaultMaxBytes.
	MaxBytes int
}

// DefaultMaxBytes bounds the memory of an answer: some million groups of short values.
const DefaultMaxBytes = 256 << 20

// Operation is what a Measure calculates.
type Operation string

// The operations. All but Distinct are of numbers; Min and Max of times too.
const (
	Sum      Operation = "sum"
	Avg      Operation = "avg"
	Min      Operation = "min"
	Max      Operation = "max"
	Distinct Operation = "distinct" // how many different values there are
	Quantile Operation = "quantile"
)

// Measure is one column of an answer. Null values are left out of it; a measure of no
// value is null, and Distinct then 0.
type Measure struct {
	Operation Operation
	Field     string
	// Q is the quantile's, 0 to 1. It is the least value that at least this share of the
	// values does not exceed.
	Q float64
}

// Name is the measure's column: sum_bytes, p95_duration_us.
func (m Measure) Name() string {
	if m.Operation == Quantile {
		return "p" + strconv.FormatFloat(m.Q*100, 'f', -1, 32) + "_" + m.Field
	}
	return string(m.Operation) + "_" + m.Field
}

// ParseQuantiles reads "bytes:0.5,0.95,0.99".
func ParseQuantiles(s string) ([]Measure, error) {
	at := strings.LastIndexByte(s, ':')
	if at <= 0 {
		return nil, fmt.Errorf("%q: expected a field, a colon and numbers from 0 to 1, such as bytes:0.5,0.95,0.99", s)
	}
	var measures []Measure
	for text := range strings.SplitSeq(s[at+1:], ",") {
		q, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return nil, fmt.Errorf("%q in %q: expected a number from 0 to 1, such as 0.95", text, s)
		}
		measures = append(measures, Measure{Quantile, s[:at], q})
	}
	return measures, nil
}

// Order is a column and a direction.
type Order struct {
	Column     string
	Descending bool
}

// ParseOrder reads "count", "count:desc" or "path:asc". Without a direction, groups' own
// columns are sorted upwards and what was counted downwards.
func (q *Question) ParseOrder(s string) error {
	column, direction, _ := strings.Cut(s, ":")
	columns, keys := q.columns()
	at := slices.Index(columns, column)
	if at < 0 {
		return fmt.Errorf("%q is not a column of the answer; there are %s", column, strings.Join(columns, ", "))
	}
	switch direction {
	case "":
		q.Order = Order{column, at >= keys}
	case "asc", "desc":
		q.Order = Order{column, direction == "desc"}
	default:
		return fmt.Errorf("%q: expected asc or desc behind the colon", s)
	}
	return nil
}

// CountColumn and ExcessColumn are in the answer beside groups and measures.
const (
	CountColumn = "count"
	// ExcessColumn is by how much a count can be too high.
	ExcessColumn = "too_high_by"
)

// columns are the names of the answer's columns; the first keys of them say which group.
func (q *Question) columns() (names []string, keys int) {
	if q.Every != 0 {
		names = append(names, schema.TimeField)
	}
	names = append(names, q.By...)
	keys = len(names)
	names = append(names, CountColumn)
	for _, m := range q.Measures {
		names = append(names, m.Name())
	}
	return names, keys
}

// Fields are the names of the fields that the question needs of an entry.
func (q *Question) Fields() []string {
	var names []string
	if q.Every != 0 {
		names = append(names, schema.TimeField)
	}
	for _, name := range q.By {
		names = append(names, name)
		if spans[name] != 0 {
			names = append(names, schema.TimeField)
		}
	}
	for _, m := range q.Measures {
		names = append(names, m.Field)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// spans are the keys that are spans of time.
var spans = map[string]time.Duration{HourKey: time.Hour, DayKey: 24 * time.Hour}

// Check reports a question that cannot be asked: a field that none of the formats has,
// or one whose values a measure cannot calculate. The error wraps ErrQuestion.
func (q *Question) Check(formats ...[]schema.Field) error {
	for _, name := range q.By {
		if spans[name] != 0 {
			continue
		}
		if err := missingField([]string{name}, formats); err != nil {
			return fmt.Errorf("%w: %w, hour, day", ErrQuestion, err)
		}
	}
	for _, m := range q.Measures {
		if err := missingField([]string{m.Field}, formats); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrQuestion, m.Operation, err)
		}
		if !m.fits(formats) {
			return fmt.Errorf("%w: %s of %s: it is not a number; numbers are %s", ErrQuestion, m.Operation, m.Field,
				strings.Join(numberFields(formats), ", "))
		}
	}
	return nil
}

// fits reports whether one of the formats has the field as something the measure can be
// calculated of.
func (m Measure) fits(formats [][]schema.Field) bool {
	if m.Operation == Distinct || len(formats) == 0 {
		return true
	}
	for _, fields := range formats {
		switch schema.Locate(fields, m.Field).Kind {
		case schema.Int:
			return true
		case schema.Time:
			if m.Operation == Min || m.Operation == Max {
				return true
			}
		}
	}
	return false
}

func numberFields(formats [][]schema.Field) []string {
	names := []string{schema.OffsetField}
	for _, fields := range formats {
		for _, f := range fields {
			if f.Kind == schema.Int && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}
