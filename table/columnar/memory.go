package columnar

import (
	"sluice/schema"
	"sluice/table/parquet"
)

// FromChunks sets the batch to the rows of chunks, in memory, sorted like those of a row group. The
// chunks may be reused afterwards.
func (b *Batch) FromChunks(chunks ...*Chunk) error {
	w := Writer{streams: map[schema.StreamID][]int{}, targets: map[*shape]*target{}}
	g := &w.group
	for _, c := range chunks {
		if c.Len() == 0 {
			continue
		}
		h := c.shape
		stream := w.stream(&h.stream, h.labels)
		w.meta.Streams[stream].add(RangeMeta{schema.Range{Start: c.offsets[0], End: c.offsets[c.Len()-1] + 1}, int64(c.Len()), 0})
		g.begin(c)
		g.appendChunk(c, w.target(h), int32(stream), 0, c.Len())
	}
	g.fill()
	var rows []int32
	if g.rows > 0 {
		rows = g.sorted.order(g, w.meta.Streams)
	}
	b.reset(newStreamSources(w.meta.Streams))
	b.Rows = g.rows
	b.addInts(schema.TimeField, schema.Time, &g.times, rows)
	b.addNumbers(zoneColumn, g.zones, rows)
	ids, hosts, idOf, hostOf := g.streamDicts(w.meta.Streams)
	b.addTexts(schema.HostField, schema.Text, &hosts, mappedCodes(g.streams, hostOf), rows)
	b.addTexts(schema.StreamField, schema.Text, &ids, mappedCodes(g.streams, idOf), rows)
	b.addNumbers(schema.OffsetField, g.offsets, rows)
	for _, c := range g.columns {
		if c.isText() {
			b.addTexts(c.name, c.kind, &c.texts.dict, c.texts.codes, rows)
		} else {
			b.addInts(c.name, c.kind, &c.ints, rows)
		}
	}
	b.addTexts(schema.ParseErrorField, schema.Text, &g.parseErrors.dict, g.parseErrors.codes, rows)
	b.addTexts(schema.LogbodyField, schema.Text, &g.lines.dict, g.lines.codes, rows)
	return nil
}

func mappedCodes(streams, of []int32) []int32 {
	codes := make([]int32, len(streams))
	for i, stream := range streams {
		codes[i] = of[stream]
	}
	return codes
}

func (b *Batch) addTexts(name string, k schema.Kind, dict *parquet.Dict, codes, rows []int32) {
	c, _, _ := b.add(name, k)
	c.Dict = make([][]byte, dict.Len())
	for i := range c.Dict {
		c.Dict[i] = dict.Value(i)
	}
	c.Codes, c.stored = codes, dict.Data
	if rows != nil {
		c.Codes = make([]int32, len(rows))
		for i, row := range rows {
			c.Codes[i] = codes[row]
		}
	}
}

func (b *Batch) addNumbers(name string, values []int64, rows []int32) {
	c, _, _ := b.add(name, schema.Int)
	c.Ints = orderedInts(values, rows)
}

func (b *Batch) addInts(name string, k schema.Kind, n *ints, rows []int32) {
	c, _, _ := b.add(name, k)
	c.Ints = orderedInts(n.values, rows)
	if n.nulls > 0 {
		c.Valid = n.valid
		if rows != nil {
			c.Valid = make([]uint64, len(n.valid))
			for i, row := range rows {
				c.Valid[i>>6] |= n.valid[row>>6] >> (row & 63) & 1 << (i & 63)
			}
		}
	}
}

func orderedInts(values []int64, rows []int32) []int64 {
	if rows == nil {
		return values
	}
	ordered := make([]int64, len(rows))
	for i, row := range rows {
		ordered[i] = values[row]
	}
	return ordered
}
