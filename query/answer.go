package query

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"sluice/schema"
)

// ErrTooManyGroups is returned if the groups of a question exceed its memory limit.
var ErrTooManyGroups = errors.New("too many groups")

// Answer aggregates entries for a question. Add is not safe for concurrent use.
type Answer struct {
	question Question
	keys     []groupKey
	measured []measuredField
	exact    int // number of values that are kept for a measure of a group
	seed     maphash.Seed

	groups groups

	columns *schema.Columns
	places  []schema.Place // of the keys, then of the measured fields
	key     []byte
	text    []byte
}

// groupKey is one field that groups are made of.
type groupKey struct {
	name string
	span *spanner // of HourKey, DayKey and Question.Every
	own  bool     // a format's own field of the name takes precedence over the span
	day  bool     // print a span as its date
}

// measuredField is a field with the state that its measures need.
type measuredField struct {
	name                      string
	numbers, values, distinct bool
	time                      bool // it was a time
}

// NewAnswer returns an empty answer to a question.
func NewAnswer(q Question) (*Answer, error) {
	a := &Answer{question: q, seed: maphash.MakeSeed(), exact: maxExactValues}
	a.groups = groups{maxBytes: q.MaxBytes, seed: a.seed, evict: q.Frequent}
	if a.groups.maxBytes <= 0 {
		a.groups.maxBytes = defaultMaxBytes
	}
	if q.Every != 0 {
		span, err := newSpanner(q.Every, q.Zone)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errQuestion, err)
		}
		a.keys = append(a.keys, groupKey{name: schema.TimeField, span: span})
	}
	for _, name := range q.By {
		k := groupKey{name: name}
		if width := spans[name]; width != 0 {
			span, err := newSpanner(width, q.Zone)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errQuestion, err)
			}
			k.span, k.own, k.day = span, true, name == DayKey
		}
		a.keys = append(a.keys, k)
	}
	if len(a.keys) > 64 {
		return nil, fmt.Errorf("%w: groups of %d fields: 64 is the most", errQuestion, len(a.keys))
	}
	if len(a.keys) > 0 {
		a.exact = maxExactGroup
	}
	for _, m := range q.Measures {
		a.measure(m)
	}
	var names []string
	for _, k := range a.keys {
		names = append(names, k.name)
	}
	for _, f := range a.measured {
		names = append(names, f.name)
	}
	a.columns = schema.NewColumns(names)
	return a, nil
}

func (a *Answer) measure(m Measure) {
	at := slices.IndexFunc(a.measured, func(f measuredField) bool { return f.name == m.Field })
	if at < 0 {
		at = len(a.measured)
		a.measured = append(a.measured, measuredField{name: m.Field})
	}
	f := &a.measured[at]
	switch m.Operation {
	case Distinct:
		f.distinct = true
	case Quantile:
		f.values = true
	default:
		f.numbers = true
	}
}

// Add adds one entry. It keeps no reference to it. After an error, which wraps ErrTooManyGroups,
// the answer must not be used.
func (a *Answer) Add(e *schema.Entry) error {
	a.places = a.columns.Of(e.Record)
	a.key = a.key[:0]
	text := uint64(0)
	for i := range a.keys {
		text |= a.addKey(e, i) << i
	}
	g, err := a.group(a.key)
	if err != nil {
		return err
	}
	g.text |= text
	a.groups.count(g, 1)
	grown := 0
	for i := range a.measured {
		grown += a.addMeasured(&g.measured[i], e, i)
	}
	if grown > 0 {
		return a.grow(grown)
	}
	return nil
}

// addKey appends the entry's value of key i, and returns 1 if it is not a number.
func (a *Answer) addKey(e *schema.Entry, i int) uint64 {
	k, p := &a.keys[i], a.places[i]
	if k.span != nil && (!k.own || p == schema.Place{}) {
		a.key = appendSpan(a.key, k.span, e.Record.Time, e.Record.Dated)
		return 1
	}
	null := e.Null(p)
	if k.span != nil && !null {
		a.key = appendOwn(a.key, e.Text(p, &a.text))
	} else {
		a.key = appendKey(a.key, e.Text(p, &a.text), null)
	}
	if null || p.Kind == schema.Int {
		return 0
	}
	return 1
}

// group returns the group of a key, adding it if it is new.
func (a *Answer) group(key []byte) (*group, error) {
	g, hash := a.groups.get(key)
	if g != nil {
		return g, nil
	}
	g, ok := a.groups.add(key, hash, len(a.measured)*measuredBytes)
	if !ok {
		return nil, a.tooMany()
	}
	if len(a.measured) > 0 {
		g.measured = make([]measured, len(a.measured))
		for i, f := range a.measured {
			m := &g.measured[i]
			if f.numbers {
				m.numbers = new(numbers)
			}
			if f.values {
				m.values = &values{exact: a.exact}
			}
			if f.distinct {
				m.distinct = &distinct{exact: a.exact}
			}
		}
	}
	return g, nil
}

// grow accounts for memory of measured values.
func (a *Answer) grow(bytes int) error {
	if a.groups.bytes += bytes; a.groups.bytes > a.groups.maxBytes {
		return a.tooMany()
	}
	return nil
}

func (a *Answer) tooMany() error {
	var names []string
	for _, k := range a.keys {
		names = append(names, k.name)
	}
	return fmt.Errorf("%w: %d groups of %s take more than %d MiB", ErrTooManyGroups, a.groups.n, strings.Join(names, ", "), a.groups.maxBytes>>20)
}

func (a *Answer) addMeasured(m *measured, e *schema.Entry, i int) (grown int) {
	p, f := a.places[len(a.keys)+i], &a.measured[i]
	if e.Null(p) {
		return 0
	}
	if m.distinct != nil {
		grown += m.distinct.add(hashText(a.seed, e.Text(p, &a.text)))
	}
	if p.Kind != schema.Int && p.Kind != schema.Time {
		return grown
	}
	if m.numbers != nil {
		m.numbers.add(e.Num(p))
		f.time = f.time || p.Kind == schema.Time
	}
	if m.values != nil {
		grown += m.values.add(e.Num(p))
	}
	return grown
}
