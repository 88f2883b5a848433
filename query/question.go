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

// errQuestion marks a question that cannot be answered for these entries.
var errQuestion = errors.New("cannot answer")

// Names of groups by time, for [Question.By]. A format's own field of that name takes precedence.
const (
	HourKey = "hour" // the start of the hour, RFC 3339
	DayKey  = "day"  // the date
)

// Question is an aggregation: the number of entries, of all or in groups, and measures of their
// values.
type Question struct {
	// By are the fields whose values make the groups, or HourKey and DayKey.
	By []string
	// Every, if not 0, makes groups of the entries' time instead: intervals of this width on the
	// wall clock, from the first entry's to the last's, also empty ones.
	Every time.Duration
	// Zone is the time zone of the intervals; nil is UTC.
	Zone *time.Location
	// Measures are calculated for each group, beside its count.
	Measures []Measure
	// Order is the column that the groups are sorted by; the zero Order sorts groups of
	// time by their time, and others by their count, the greatest first.
	Order Order
	// Limit, if > 0, is the maximum number of groups.
	Limit int
	// Frequent means that the most frequent groups are requested, and need not be exact: if the
	// groups exceed MaxBytes, counts can be too high by a known number. It requires one field, a
	// Limit, and neither Measures nor Order.
	Frequent bool
	// MaxBytes bounds the memory of the groups; 0 is defaultMaxBytes.
	MaxBytes int
}

// defaultMaxBytes is the default of MaxBytes: some million groups with short values.
const defaultMaxBytes = 256 << 20

// Operation is the calculation of a Measure.
type Operation string

// The operations. All except Distinct are for numbers; Min and Max also for times.
const (
	Sum      Operation = "sum"
	Avg      Operation = "avg"
	Min      Operation = "min"
	Max      Operation = "max"
	Distinct Operation = "distinct" // number of different values
	Quantile Operation = "quantile"
)

// Measure is one column of an answer. Null values are ignored; a measure without values is null,
// and Distinct 0.
type Measure struct {
	Operation Operation
	Field     string
	// Q is the quantile, 0 to 1: the least value that at least this share of the values does not
	// exceed.
	Q float64
}

// Name is the measure's column: sum_bytes, p95_duration_us.
func (m Measure) Name() string {
	if m.Operation == Quantile {
		return "p" + strconv.FormatFloat(m.Q*100, 'f', -1, 32) + "_" + m.Field
	}
	return string(m.Operation) + "_" + m.Field
}

// ParseQuantiles parses "bytes:0.5,0.95,0.99".
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

// ParseOrder parses "count", "count:desc" or "path:asc". The default direction is ascending for the
// groups' columns and descending for counts and measures.
func (q *Question) ParseOrder(s string) error {
	column, direction, _ := strings.Cut(s, ":")
	columns, keys := q.columns()
	at := slices.Index(columns, column)
	if at < 0 {
		return fmt.Errorf("%q is not a column of the answer; the columns are %s", column, strings.Join(columns, ", "))
	}
	switch direction {
	case "":
		q.Order = Order{column, at >= keys}
	case "asc", "desc":
		q.Order = Order{column, direction == "desc"}
	default:
		return fmt.Errorf("%q: expected asc or desc after the colon", s)
	}
	return nil
}

// countColumn and excessColumn are columns of the answer beside groups and measures.
const (
	countColumn = "count"
	// excessColumn is the maximum excess of a count.
	excessColumn = "too_high_by"
)

// columns returns the names of the answer's columns; the first keys of them identify the group.
func (q *Question) columns() (names []string, keys int) {
	if q.Every != 0 {
		names = append(names, schema.TimeField)
	}
	names = append(names, q.By...)
	keys = len(names)
	names = append(names, countColumn)
	for _, m := range q.Measures {
		names = append(names, m.Name())
	}
	return names, keys
}

// spans are the keys that are intervals of time.
var spans = map[string]time.Duration{HourKey: time.Hour, DayKey: 24 * time.Hour}

// Check returns an error for a question that cannot be answered: a field that none of the formats
// has, or one that a measure cannot be calculated from. The error wraps errQuestion.
func (q *Question) Check(formats ...[]schema.Field) error {
	for _, name := range q.By {
		if spans[name] != 0 {
			continue
		}
		if err := missingField([]string{name}, formats); err != nil {
			return fmt.Errorf("%w: %w, hour, day", errQuestion, err)
		}
	}
	for _, m := range q.Measures {
		if err := missingField([]string{m.Field}, formats); err != nil {
			return fmt.Errorf("%w: %s: %w", errQuestion, m.Operation, err)
		}
		if !m.fits(formats) {
			return fmt.Errorf("%w: %s of %s: it is not a number; numbers are %s", errQuestion, m.Operation, m.Field,
				strings.Join(numberFields(formats), ", "))
		}
	}
	return nil
}

// fits reports whether one of the formats has the field with a type that the measure can be
// calculated from.
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
