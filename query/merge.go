package query

import "unsafe"

// merge adds the counts of another answer to the same question, which must not be used afterwards.
// If one of the two replaced groups, a group that it lacks is counted with the highest replaced
// count.
func (a *Answer) merge(o *Answer) error {
	for i := range a.measured {
		a.measured[i].time = a.measured[i].time || o.measured[i].time
	}
	mine, theirs := a.groups.floor, o.groups.floor
	a.groups.evict, a.groups.floor, a.groups.rarest = false, mine+theirs, nil
	if theirs > 0 {
		for g := range a.groups.all {
			if o.groups.same(g) == nil {
				g.count, g.excess = g.count+theirs, g.excess+theirs
			}
		}
	}
	for g := range o.groups.all {
		known := a.groups.same(g)
		if known == nil {
			a.groups.insert(g)
			a.groups.bytes += len(g.key) + groupBytes + len(g.measured)*measuredBytes
			g.count, g.excess = g.count+mine, g.excess+mine
			for i := range g.measured {
				a.groups.bytes += g.measured[i].bytes()
			}
			continue
		}
		known.count, known.excess, known.text = known.count+g.count, known.excess+g.excess, known.text|g.text
		for i := range g.measured {
			a.groups.bytes += known.measured[i].merge(&g.measured[i])
		}
	}
	if a.question.Frequent {
		return nil
	}
	return a.grow(0)
}

// merge returns the growth of the memory in bytes.
func (m *measured) merge(o *measured) (grown int) {
	if m.numbers != nil {
		m.numbers.merge(o.numbers)
	}
	if m.values != nil {
		grown += m.values.merge(o.values)
	}
	if m.distinct != nil {
		grown += m.distinct.merge(o.distinct)
	}
	return grown
}

// bytes is the memory of the values.
func (m *measured) bytes() (n int) {
	if m.values != nil {
		n += 8 * cap(m.values.kept)
		for _, chunks := range m.values.chunks {
			n += 8 * bucketsInChunk * len(chunks)
		}
	}
	if m.distinct != nil {
		n += 8*len(m.distinct.table) + len(m.distinct.registers)
	}
	return n
}

// same returns the group with the key of another answer's group, or nil.
func (s *groups) same(g *group) *group {
	return s.shard(g.hash).get(unsafe.Slice(unsafe.StringData(g.key), len(g.key)), g.hash)
}
