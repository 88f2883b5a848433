package schema

// Cell is one typed value of a row. The bytes belong to the row's creator.
type Cell struct {
	Qualifier string
	Value     []byte
	// Span is the offset of Value in the row's logbody, plus one; 0 if it is not a part of it. A
	// table may store the offset instead of the bytes.
	Span uint32
}

// Row is one line as stored in a table, the result of Scan. Its bytes are valid until the next row
// is requested.
type Row struct {
	Key    []byte
	Time   int64 // nanoseconds since 1970, 0 for a line without a readable time
	Stream StreamID
	Offset int64
	Cells  []Cell
}

// Cell returns the value of a qualifier; false if the row has none (null). The logbody of a packed
// row is decoded from its record.
func (r *Row) Cell(qualifier string) ([]byte, bool) {
	for i := range r.Cells {
		if r.Cells[i].Qualifier == qualifier {
			return r.Cells[i].Value, true
		}
	}
	if qualifier == LogbodyField && len(r.Cells) == 1 && r.Cells[0].Qualifier == packedQualifier {
		return packedLine(r.Cells[0].Value)
	}
	return nil, false
}

// Rows is a block of rows to store, in the order of their lines. It is reused; its values are spans
// of the lines, so a table must copy what it keeps before Put returns.
type Rows struct {
	refs  []rowRef
	keys  []byte
	cells []Cell
	arena []byte // numbers, and unescaped text
}

type rowRef struct {
	keyEnd, cellEnd int
	time            int64
}

// Reset empties the block and keeps its memory.
func (r *Rows) Reset() {
	clear(r.cells) // drops references to the lines
	r.refs, r.keys, r.cells, r.arena = r.refs[:0], r.keys[:0], r.cells[:0], r.arena[:0]
}

// Append adds a row that was made elsewhere. The key is copied; cells, in the order of their
// qualifiers, must stay unchanged as long as the block is used.
func (r *Rows) Append(key []byte, time int64, cells []Cell) {
	r.keys = append(r.keys, key...)
	r.cells = append(r.cells, cells...)
	r.end(time)
}

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.refs) }

// Key returns row i's key.
func (r *Rows) Key(i int) []byte {
	start := 0
	if i > 0 {
		start = r.refs[i-1].keyEnd
	}
	end := r.refs[i].keyEnd
	return r.keys[start:end:end]
}

// Cells returns row i's cells in the order of their qualifiers.
func (r *Rows) Cells(i int) []Cell {
	start := 0
	if i > 0 {
		start = r.refs[i-1].cellEnd
	}
	return r.cells[start:r.refs[i].cellEnd]
}

// Time returns row i's event time in nanoseconds since 1970; 0 if it has none.
func (r *Rows) Time(i int) int64 { return r.refs[i].time }

// end completes the row whose key and cells were appended.
func (r *Rows) end(time int64) {
	r.refs = append(r.refs, rowRef{len(r.keys), len(r.cells), time})
}

// keep copies b into the block's memory. Growing allocates new memory and does not move earlier
// copies, so slices of them remain valid.
func (r *Rows) keep(b []byte) []byte {
	n := len(r.arena)
	r.arena = append(r.arena, b...)
	return r.arena[n:len(r.arena):len(r.arena)]
}
