package query

import (
	"math/bits"
	"slices"
	"strconv"

	"sluice/schema"
	"sluice/table/columnar"
)

// selector loads the columns of names and selects the rows of a batch that match a filter. It is
// not safe for concurrent use.
type selector struct {
	matcher *Matcher // for rows that are converted to entries, and the filter's nodes
	names   []string // those of the filter, and then those of the question
	sources []source
	vectors []vector
	all     bool // every row must be converted to an entry
	queries bool // a name is a query, which a stored line has more precisely than its path

	rows      columnar.Selection // memory of the selections
	slow      columnar.Selection
	suspects  []bool
	decisions []uint8
	text      []byte
	pool      []columnar.Selection
}

// newSelector prepares a selector that also loads the values of more names.
func newSelector(f *schema.Filter, more []string, formats [][]schema.Field) (*selector, error) {
	m, err := Compile(f, formats...)
	if err != nil {
		return nil, err
	}
	s := &selector{matcher: m}
	if m.root != nil {
		s.names = append(s.names, m.names...)
	}
	s.names = append(s.names, more...)
	for _, name := range s.names {
		source := resolve(name, formats)
		s.all = s.all || source.origin == inEntryOnly
		s.queries = s.queries || source.origin == inQuery
		s.sources = append(s.sources, source)
	}
	s.vectors = make([]vector, len(s.names))
	if m.root != nil && s.textOfTime(m.root) {
		s.all = true
	}
	return s, nil
}

// textOfTime reports whether the filter compares the text of a time, which depends on the line's
// zone.
func (s *selector) textOfTime(n *node) bool {
	for i := range n.args {
		if s.textOfTime(&n.args[i]) {
			return true
		}
	}
	return len(n.args) == 0 && s.sources[n.column].origin == inTime && !n.number && n.op != schema.IsNull
}

// columns returns the names of the columns that are read of every row group; nil is all.
func (s *selector) columns() []string {
	if s.all {
		return nil
	}
	names := []string{}
	for _, source := range s.sources {
		if source.origin != nowhere {
			names = append(names, source.column)
		}
		if source.origin == inFile { // a stream with several formats: the offset decides
			names = append(names, schema.OffsetField)
		}
	}
	if s.queries {
		names = append(names, schema.LogbodyField)
	}
	return names
}

// load loads a batch. It returns the rows that must be converted to entries; nil is none.
func (s *selector) load(b *columnar.Batch) (columnar.Selection, error) {
	words := (b.Rows + 63) / 64
	s.slow = zeroed(s.slow, words)
	if s.all {
		for i := range s.slow {
			s.slow[i] = ^uint64(0)
		}
		return s.slow, nil
	}
	for i := range s.vectors {
		v := &s.vectors[i]
		if err := v.load(s.sources[i], b); err != nil {
			return nil, err
		}
		s.suspects = v.escaped(b.Column(s.sources[i].column), s.slow, s.suspects)
	}
	if !s.queries && empty(s.slow) {
		return nil, nil
	}
	if err := b.Need(schema.LogbodyField); err != nil {
		return nil, err
	}
	lines := b.Column(schema.LogbodyField)
	some := false
	for w := range s.slow {
		if !s.queries && s.slow[w] == 0 {
			continue
		}
		stored := uint64(0)
		for i := w << 6; i < min(b.Rows, w<<6+64); i++ {
			if lines != nil && lines.Codes[i] >= 0 {
				stored |= 1 << (i & 63)
			}
		}
		if s.queries {
			s.slow[w] = stored
		}
		s.slow[w] &= stored
		some = some || s.slow[w] != 0
	}
	if !some {
		return nil, nil
	}
	return s.slow, b.Need(schema.StreamField, schema.OffsetField) // needed for the conversion
}

// choose selects the rows that match the filter; slow ones must be checked as entries. The result
// is valid until the next call.
func (s *selector) choose(b *columnar.Batch, rows, slow columnar.Selection) columnar.Selection {
	words := (b.Rows + 63) / 64
	if cap(s.rows) < words {
		s.rows = make(columnar.Selection, words)
	}
	s.rows = s.rows[:words]
	for w := range s.rows {
		s.rows[w] = ^uint64(0)
		if rows != nil {
			s.rows[w] = rows[w]
		}
		if slow != nil {
			s.rows[w] &^= slow[w]
		}
	}
	if rest := b.Rows & 63; rest != 0 {
		s.rows[words-1] &= 1<<rest - 1
	}
	if s.matcher.root != nil && !s.all {
		s.filter(s.matcher.root, s.rows)
	}
	return s.rows
}

// filter removes the rows that do not match the node.
func (s *selector) filter(n *node, rows columnar.Selection) {
	switch n.op {
	case schema.And:
		for i := range n.args {
			if empty(rows) {
				return
			}
			s.filter(&n.args[i], rows)
		}
		return
	case schema.Or:
		passed := s.take(len(rows))
		rest := s.take(len(rows))
		for i := range n.args {
			for w := range rows {
				rest[w] = rows[w] &^ passed[w]
			}
			if empty(rest) {
				break
			}
			s.filter(&n.args[i], rest)
			for w := range rest {
				passed[w] |= rest[w]
			}
		}
		copy(rows, passed)
		s.pool = append(s.pool, passed, rest)
		return
	case schema.Not:
		passed := s.take(len(rows))
		copy(passed, rows)
		s.filter(&n.args[0], passed)
		for w := range rows {
			rows[w] &^= passed[w]
		}
		s.pool = append(s.pool, passed)
		return
	}
	s.test(n, &s.vectors[n.column], rows)
}

// take returns an empty selection.
func (s *selector) take(words int) columnar.Selection {
	if n := len(s.pool); n > 0 {
		t := s.pool[n-1]
		s.pool = s.pool[:n-1]
		return zeroed(t, words)
	}
	return make(columnar.Selection, words)
}

// test removes the rows whose value does not match one test.
func (s *selector) test(n *node, v *vector, rows columnar.Selection) {
	null := n.op == schema.IsNull
	switch {
	case v.none:
		if !null {
			clear(rows)
		}
	case null:
		keep(rows, v.isNull)
	case !isNumber(v.kind):
		s.testTexts(n, v, rows)
	case n.number:
		for w, word := range rows {
			if word == 0 {
				continue
			}
			passed := uint64(0)
			for i, num := range v.ints[w<<6 : min(len(v.ints), w<<6+64)] {
				if n.matchNumber(num) {
					passed |= 1 << i
				}
			}
			if v.valid != nil {
				passed &= v.valid[w]
			}
			rows[w] &= passed
		}
	default:
		keep(rows, func(i int) bool {
			s.text = strconv.AppendInt(s.text[:0], v.ints[i], 10)
			return !v.isNull(i) && n.matchText(s.text)
		})
	}
}

// The state of a dictionary's value.
const (
	undecided = iota
	passes
	fails
)

// testTexts is test for texts: each value of the dictionary that a row has is tested once.
func (s *selector) testTexts(n *node, v *vector, rows columnar.Selection) {
	s.decisions = slices.Grow(s.decisions[:0], len(v.dict))[:len(v.dict)]
	clear(s.decisions)
	for w, word := range rows {
		for rest := word; rest != 0; rest &= rest - 1 {
			bit := bits.TrailingZeros64(rest)
			code := v.codes[w<<6+bit]
			if code >= 0 {
				if s.decisions[code] == undecided {
					s.decisions[code] = fails
					if n.matchText(v.dict[code]) {
						s.decisions[code] = passes
					}
				}
				if s.decisions[code] == passes {
					continue
				}
			}
			rows[w] &^= 1 << bit
		}
	}
}

// keep removes the rows for which pass returns false.
func keep(rows columnar.Selection, pass func(i int) bool) {
	for w, word := range rows {
		for i := w << 6; word != 0; word, i = word>>1, i+1 {
			if word&1 != 0 && !pass(i) {
				rows[w] &^= 1 << (i & 63)
			}
		}
	}
}

func empty(rows columnar.Selection) bool {
	for _, w := range rows {
		if w != 0 {
			return false
		}
	}
	return true
}

func zeroed(s columnar.Selection, words int) columnar.Selection {
	if cap(s) < words {
		return make(columnar.Selection, words)
	}
	s = s[:words]
	clear(s)
	return s
}
