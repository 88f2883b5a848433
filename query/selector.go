package query

import (
	"sluice/schema"
	"sluice/table/columnar"
)

// Selector selects the rows of batches of columns that match a filter. It is not safe for
// concurrent use.
type Selector struct{ *selector }

// NewSelector prepares a filter. formats are the fields of all possible formats of the rows.
func NewSelector(f *schema.Filter, formats ...[]schema.Field) (*Selector, error) {
	s, err := newSelector(f, nil, formats)
	return &Selector{s}, err
}

// Names returns the columns that Select reads; nil is all of them.
func (s *Selector) Names() []string { return s.columns() }

// Select returns the rows that match the filter, valid until the next call. A row that cannot be
// read is included, so that its reader gets the error.
func (s *Selector) Select(b *columnar.Batch, rows columnar.Selection) columnar.Selection {
	slow, err := s.load(b)
	if err != nil {
		return rows
	}
	selected := s.choose(b, rows, slow)
	if slow == nil {
		return selected
	}
	var e schema.Entry
	for i := range b.Rows {
		if slow.Has(i) && rows.Has(i) && (b.Entry(i, &e) != nil || s.matcher.Match(&e)) {
			selected[i>>6] |= 1 << (i & 63)
		}
	}
	return selected
}
