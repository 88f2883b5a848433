package query

import (
	"math/bits"
	"strconv"

	"sluice/schema"
	"sluice/table/columnar"
)

// Columns answers a question about rows in batches of columns, with several workers at a time. The
// answer is that of an [Answer] for the same rows as entries.
type Columns struct {
	workers []*columnsWorker
}

// NewColumns returns an empty answer to a question about the rows that match a filter, for a number
// of workers. formats are the fields of all possible formats of the rows.
func NewColumns(q Question, f *schema.Filter, workers int, formats ...[]schema.Field) (*Columns, error) {
	c := &Columns{}
	if q.MaxBytes <= 0 {
		q.MaxBytes = defaultMaxBytes
	}
	q.MaxBytes /= workers
	for i := range workers {
		a, err := NewAnswer(q)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			a.seed = c.workers[0].answer.seed
			a.groups.seed = a.seed
		}
		w := &columnsWorker{answer: a, direct: directGroups}
		var names []string
		for _, k := range a.keys {
			names = append(names, w.keyName(k, formats))
		}
		for _, m := range a.measured {
			names = append(names, m.name)
		}
		if w.selector, err = newSelector(f, names, formats); err != nil {
			return nil, err
		}
		w.first = len(w.selector.names) - len(names)
		w.checkTexts()
		c.workers = append(c.workers, w)
	}
	return c, nil
}

// Names returns the columns that Add reads; nil is all of them.
func (c *Columns) Names() []string { return c.workers[0].selector.columns() }

// Add adds the selected rows of a batch. Each worker may call it at the same time as the others.
// The error wraps ErrTooManyGroups, or is one of the batch.
func (c *Columns) Add(worker int, b *columnar.Batch, rows columnar.Selection) error {
	return c.workers[worker].add(b, rows)
}

// Answer returns the sum of all workers. Call it once, after the last Add.
func (c *Columns) Answer() (*Answer, error) {
	a := c.workers[0].answer
	if all := c.pending(); all != nil {
		a.groups.maxBytes *= len(c.workers)
		a.putAllTogether(all)
		return a, nil
	}
	for _, w := range c.workers {
		if err := w.answer.putTogether(&w.pending); err != nil {
			return nil, err
		}
	}
	a.groups.maxBytes *= len(c.workers)
	for _, w := range c.workers[1:] {
		if err := a.merge(w.answer); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// pending makes all that was counted pending, if it fits within the answer's bounds. It
// returns nil if it does not, or if too little is pending to be worth it.
func (c *Columns) pending() (all []*pending) {
	bytes, some := 0, false
	for _, w := range c.workers {
		some = some || w.pending.bytes > 0
		bytes += w.pending.bytes + w.answer.groups.bytes
		if w.answer.groups.floor > 0 {
			return nil
		}
	}
	if !some || bytes > c.workers[0].answer.groups.maxBytes*len(c.workers) {
		return nil
	}
	for _, w := range c.workers {
		s := &w.answer.groups
		for g := range s.all {
			w.pending.addHashed(g.hash, []byte(g.key), g.text, g.count)
		}
		s.shards, s.n, s.bytes = [groupShards]groupShard{}, 0, 0
		all = append(all, &w.pending)
	}
	return all
}

// columnsWorker is the answer of one worker, and memory for the current batch.
type columnsWorker struct {
	answer   *Answer
	selector *selector
	first    int // of the selector's names, the first one of the keys

	list   []int32 // the selected rows
	ids    []int32 // the group of each of them, by its number in the batch
	next   []int32
	groups []*group // by their number
	counts []int64
	rows   []int32 // one row of each group
	hashes []uint64
	local  numbering
	key    []byte
	text   []byte

	pending pending
	direct  int  // how many groups are put together as they come
	full    bool // too much was pending: groups are put together as they come
}

// keyName is the name whose values make a key: the time for a span, unless a format has a field of
// the key's name.
func (w *columnsWorker) keyName(k groupKey, formats [][]schema.Field) string {
	if k.span == nil {
		return k.name
	}
	own, _ := ownFields(k.name, formats)
	if !k.own || len(own) == 0 {
		return schema.TimeField
	}
	return k.name
}

// checkTexts decides that every row is converted to an entry if the text of a time is needed, which
// depends on the line's zone, or if a format has a field with the name of a span.
func (w *columnsWorker) checkTexts() {
	s := w.selector
	for i, k := range w.answer.keys {
		own := k.span != nil && s.names[w.first+i] != schema.TimeField
		if own || k.span == nil && s.sources[w.first+i].origin == inTime {
			s.all = true
		}
	}
	for i, m := range w.answer.measured {
		if m.distinct && s.sources[w.first+len(w.answer.keys)+i].origin == inTime {
			s.all = true
		}
	}
}

func (w *columnsWorker) add(b *columnar.Batch, rows columnar.Selection) error {
	slow, err := w.selector.load(b)
	if err != nil {
		return err
	}
	if slow != nil {
		if err := w.addEntries(b, rows, slow); err != nil {
			return err
		}
	}
	selected := w.selector.choose(b, rows, slow)
	n := selected.Count(b.Rows)
	if n == 0 {
		return nil
	}
	if len(w.answer.keys) == 0 && len(w.answer.measured) == 0 {
		g, err := w.answer.group(nil)
		if err == nil {
			g.count += int64(n)
		}
		return err
	}
	w.list = w.list[:0]
	for at, word := range selected {
		for ; word != 0; word &= word - 1 {
			w.list = append(w.list, int32(at<<6+bits.TrailingZeros64(word)))
		}
	}
	if err := w.group(); err != nil {
		return err
	}
	return w.measure()
}

// addEntries adds the rows that must be converted to entries.
func (w *columnsWorker) addEntries(b *columnar.Batch, rows, slow columnar.Selection) error {
	var e schema.Entry
	for i := range b.Rows {
		if !slow.Has(i) || !rows.Has(i) {
			continue
		}
		if err := b.Entry(i, &e); err != nil {
			return err
		}
		if w.selector.matcher.Match(&e) {
			if err := w.answer.Add(&e); err != nil {
				return err
			}
		}
	}
	return nil
}

// group numbers the groups of the listed rows, finds each group once, and counts.
func (w *columnsWorker) group() error {
	w.ids = w.ids[:0]
	for range w.list {
		w.ids = append(w.ids, 0)
	}
	n := 1
	for i := range w.answer.keys {
		n = w.addKey(i, n)
	}
	w.groups, w.counts, w.rows = w.groups[:0], w.counts[:0], w.rows[:0]
	for range n {
		w.groups, w.counts, w.rows = append(w.groups, nil), append(w.counts, 0), append(w.rows, 0)
	}
	for at, id := range w.ids {
		w.counts[id]++
		w.rows[id] = w.list[at]
	}
	later := len(w.answer.measured) == 0 && len(w.answer.keys) <= maxPendingKeys && !w.full
	for id, count := range w.counts {
		if count == 0 {
			continue
		}
		text := w.keyOf(int(w.rows[id]))
		if later && w.answer.groups.n >= w.direct {
			w.pending.add(w.answer.seed, w.key, text, count)
			continue
		}
		g, err := w.answer.group(w.key)
		if err != nil {
			return err
		}
		g.text |= text
		w.groups[id] = g
		w.answer.groups.count(g, count)
	}
	if w.pending.bytes > w.answer.groups.maxBytes {
		w.full = true
		return w.answer.putTogether(&w.pending)
	}
	return nil
}

// addKey splits the groups so far by the values of key i. It returns the number of groups.
func (w *columnsWorker) addKey(i, n int) int {
	v := &w.selector.vectors[w.first+i]
	if v.none {
		return n
	}
	w.next = w.next[:0]
	width := 0 // the values are below
	switch span := w.answer.keys[i].span; {
	case span != nil:
		w.local.reset()
		for _, row := range w.list {
			id := int32(0)
			if !v.isNull(int(row)) {
				id = 1 + w.local.of(span.of(v.ints[row]))
			}
			w.next = append(w.next, id)
		}
		width = 1 + w.local.n
	case isNumber(v.kind):
		w.local.reset()
		for _, row := range w.list {
			id := int32(0)
			if !v.isNull(int(row)) {
				id = 1 + w.local.of(v.ints[row])
			}
			w.next = append(w.next, id)
		}
		width = 1 + w.local.n
	default:
		for _, row := range w.list {
			w.next = append(w.next, 1+v.codes[row])
		}
		width = 1 + len(v.dict)
	}
	if n == 1 {
		w.ids, w.next = w.next, w.ids
		return width
	}
	w.local.reset()
	for at, id := range w.ids {
		w.ids[at] = w.local.of(int64(id)*int64(width) + int64(w.next[at]))
	}
	return w.local.n
}

// keyOf sets w.key to the key of a row's group. Bit i of text means that key i is not a number.
func (w *columnsWorker) keyOf(row int) (text uint64) {
	w.key = w.key[:0]
	for i := range w.answer.keys {
		v := &w.selector.vectors[w.first+i]
		switch span := w.answer.keys[i].span; {
		case span != nil:
			null := v.isNull(row)
			nanos := int64(0)
			if !null {
				nanos = v.ints[row]
			}
			w.key = appendSpan(w.key, span, nanos, !null)
			text |= 1 << i
		case v.isNull(row):
			w.key = append(w.key, 0)
		case isNumber(v.kind):
			w.text = strconv.AppendInt(w.text[:0], v.ints[row], 10)
			w.key = appendKey(w.key, w.text, false)
		default:
			w.key = appendKey(w.key, v.dict[v.codes[row]], false)
			text |= 1 << i
		}
	}
	return text
}

// measure adds the listed rows to the measures of their groups.
func (w *columnsWorker) measure() error {
	grown := 0
	for m := range w.answer.measured {
		f := &w.answer.measured[m]
		v := &w.selector.vectors[w.first+len(w.answer.keys)+m]
		if v.none {
			continue
		}
		if f.distinct {
			grown += w.addDistinct(m, v)
		}
		if !isNumber(v.kind) {
			continue
		}
		f.time = f.time || f.numbers && v.kind == schema.Time
		for at, row := range w.list {
			if v.isNull(int(row)) {
				continue
			}
			known := &w.groups[w.ids[at]].measured[m]
			if f.numbers {
				known.numbers.add(v.ints[row])
			}
			if f.values {
				grown += known.values.add(v.ints[row])
			}
		}
	}
	if grown != 0 {
		return w.answer.grow(grown)
	}
	return nil
}

// addDistinct adds the values of a name to the groups. Each value of a dictionary is hashed once.
func (w *columnsWorker) addDistinct(m int, v *vector) (grown int) {
	if isNumber(v.kind) {
		for at, row := range w.list {
			if !v.isNull(int(row)) {
				w.text = strconv.AppendInt(w.text[:0], v.ints[row], 10)
				grown += w.groups[w.ids[at]].measured[m].distinct.add(hashText(w.answer.seed, w.text))
			}
		}
		return grown
	}
	w.hashes = w.hashes[:0]
	for range v.dict {
		w.hashes = append(w.hashes, 0)
	}
	single := len(w.groups) == 1
	for at, row := range w.list {
		code := v.codes[row]
		if code < 0 {
			continue
		}
		hash := w.hashes[code]
		if hash == 0 {
			hash = hashText(w.answer.seed, v.dict[code])
			w.hashes[code] = hash
		} else if single {
			continue
		}
		grown += w.groups[w.ids[at]].measured[m].distinct.add(hash)
	}
	return grown
}

// numbering numbers different values from 0 in the order of their first use.
type numbering struct {
	n     int
	small [1024]int32 // one more than the number of such a value; 0 is none
	ids   map[int64]int32
	last  int64
	id    int32
}

func (m *numbering) reset() {
	if m.ids == nil {
		m.ids = make(map[int64]int32)
	}
	clear(m.ids)
	clear(m.small[:])
	m.n = 0
}

func (m *numbering) of(v int64) int32 {
	if m.n > 0 && v == m.last {
		return m.id
	}
	m.last = v
	if uint64(v) < uint64(len(m.small)) {
		if m.small[v] == 0 {
			m.n++
			m.small[v] = int32(m.n)
		}
		m.id = m.small[v] - 1
		return m.id
	}
	id, ok := m.ids[v]
	if !ok {
		id = int32(m.n)
		m.ids[v] = id
		m.n++
	}
	m.id = id
	return id
}
