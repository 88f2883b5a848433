package columnar

import (
	"sluice/schema"
	"sluice/table/parquet"
)

// group collects the rows of one row group in their order of arrival. It is reused for the next
// one.
type group struct {
	rows    int
	times   ints // of the event; null for a row without one
	zones   []int64
	offsets []int64
	streams []int32 // index of the writer's streams

	columns     []*groupColumn // of fields and labels, in the order of their first row in the file
	parseErrors texts
	lines       texts

	textBytes int // of the texts in dictionaries

	sorted  sorter
	escaped []byte
	remaps  [][]int32 // scratch of appendChunk
}

// groupColumn is a column that not every file has.
type groupColumn struct {
	name  string
	kind  schema.Kind
	label bool
	texts texts
	ints  ints
}

func (c *groupColumn) isText() bool { return isText(c.kind) }

func (g *group) reset() {
	g.rows, g.textBytes = 0, 0
	g.times.reset()
	g.zones, g.offsets, g.streams = g.zones[:0], g.offsets[:0], g.streams[:0]
	for _, c := range g.columns {
		c.texts.reset()
		c.ints.reset()
	}
	g.parseErrors.reset()
	g.lines.reset()
}

func (g *group) memory() int {
	n := g.times.memory() + 8*(cap(g.zones)+cap(g.offsets)) + 4*cap(g.streams) + g.parseErrors.memory() + g.lines.memory() + g.sorted.memory()
	for _, c := range g.columns {
		n += c.texts.memory() + c.ints.memory()
	}
	return n
}

// column returns the column of a name for values of a kind. If the name has values of another kind,
// it is that of NAME_KIND.
func (g *group) column(name string, k schema.Kind, label bool) *groupColumn {
	for _, c := range g.columns {
		if c.name != name {
			continue
		}
		if sameColumn(c.kind, k) {
			if c.kind != k {
				c.kind = schema.Text
			}
			return c
		}
		return g.column(kindName(name, k), k, label)
	}
	c := &groupColumn{name: name, kind: k, label: label}
	g.columns = append(g.columns, c)
	return c
}

// target is the destination of a chunk's rows: the group's column for each of the shape's.
type target struct {
	fields []*groupColumn
	labels []labelValue
}

type labelValue struct {
	column *groupColumn
	value  []byte
}

// appendChunk adds the rows [from, to) of the chunk, which are of a stream. begin must have been
// called for the chunk.
func (g *group) appendChunk(c *Chunk, t *target, stream int32, from, to int) {
	start := g.rows
	for i := from; i < to; i++ {
		g.times.add(c.times[i], c.dated[i])
		g.streams = append(g.streams, stream)
	}
	g.zones = append(g.zones, c.zones[from:to]...)
	g.offsets = append(g.offsets, c.offsets[from:to]...)
	text, number := 0, 0
	for _, column := range t.fields {
		if !column.isText() {
			column.ints.fill(start)
			n := &c.ints[number]
			number++
			for i := from; i < to; i++ {
				column.ints.add(n.values[i], n.ok(i))
			}
			continue
		}
		column.texts.fill(start)
		g.appendTexts(&column.texts, &c.texts[text], g.remaps[text], from, to)
		text++
	}
	for _, l := range t.labels {
		l.column.texts.fill(start)
		code := g.code(&l.column.texts, l.value, 0)
		for range to - from {
			l.column.texts.codes = append(l.column.texts.codes, code)
		}
	}
	g.appendTexts(&g.parseErrors, &c.parseErrors, g.remaps[text], from, to)
	for _, code := range c.lines.codes[from:to] {
		if code >= 0 {
			value := c.lines.dict.Value(int(code))
			code = int32(g.lines.dict.Add(value))
			g.textBytes += len(value)
		}
		g.lines.codes = append(g.lines.codes, code)
	}
	g.rows += to - from
}

// unmapped is the index of a value that the group does not have yet.
const unmapped = -2

// begin prepares for rows of a chunk.
func (g *group) begin(c *Chunk) {
	for len(g.remaps) <= len(c.texts) {
		g.remaps = append(g.remaps, nil)
	}
	for i := range c.texts {
		g.remaps[i] = unmappedCodes(g.remaps[i], c.texts[i].dict.Len())
	}
	n := len(c.texts)
	g.remaps[n] = unmappedCodes(g.remaps[n], c.parseErrors.dict.Len())
}

func unmappedCodes(codes []int32, n int) []int32 {
	codes = resized(codes, n)
	for i := range codes {
		codes[i] = unmapped
	}
	return codes
}

// appendTexts adds rows of a chunk's column; remap is the group's index of each value.
func (g *group) appendTexts(dst, src *texts, remap []int32, from, to int) {
	for _, code := range src.codes[from:to] {
		if code >= 0 {
			mapped := remap[code]
			if mapped == unmapped {
				mapped = g.code(dst, src.dict.Value(int(code)), src.traits[code])
				remap[code] = mapped
			}
			code = mapped
		}
		dst.codes = append(dst.codes, code)
	}
}

// code returns the index of a value in a column of the group. Bytes of it that are not UTF-8 are
// stored as \xhh.
func (g *group) code(t *texts, value []byte, known trait) int32 {
	if known&valid == 0 && traitsOf(value)&valid == 0 {
		g.escaped = schema.AppendUTF8(g.escaped[:0], value)
		value = g.escaped
	}
	n := len(t.dict.Data)
	code := t.code(value)
	g.textBytes += len(t.dict.Data) - n
	return code
}

// fill makes all columns as long as the group.
func (g *group) fill() {
	for _, c := range g.columns {
		if c.isText() {
			c.texts.fill(g.rows)
		} else {
			c.ints.fill(g.rows)
		}
	}
}

// streamDicts returns the ids and hosts of the streams that have rows in the group, as
// dictionaries, and each stream's index in them.
func (g *group) streamDicts(streams []StreamMeta) (ids, hosts parquet.Dict, idOf, hostOf []int32) {
	index := func(d *parquet.Dict, known map[string]int32, value string) int32 {
		code, ok := known[value]
		if !ok {
			code = int32(d.Add([]byte(value)))
			known[value] = code
		}
		return code
	}
	knownIDs, knownHosts := map[string]int32{}, map[string]int32{}
	idOf, hostOf = make([]int32, len(streams)), make([]int32, len(streams))
	used := make([]bool, len(streams))
	for _, stream := range g.streams {
		if used[stream] {
			continue
		}
		used[stream] = true
		s := &streams[stream].Stream
		idOf[stream] = index(&ids, knownIDs, s.ID.String())
		hostOf[stream] = index(&hosts, knownHosts, string(schema.AppendUTF8(nil, []byte(s.Host))))
	}
	return ids, hosts, idOf, hostOf
}
