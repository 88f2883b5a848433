package bulkload

import "sluice/schema"

// chunkBytes is the size of the pieces of memory that windows share. A row that does not fit into
// one gets a chunk of its own.
const chunkBytes = 64 << 10

// chunk is memory with the records of rows, see appendRecord.
type chunk struct {
	bytes []byte
	rows  int // those that are still in a window
}

// memory is what the windows of a loader share: chunks, so that a window that needs less leaves its
// chunks to others, and the names of qualifiers, which records have as numbers. Without pointers to
// each value, the garbage collector does not look into the rows.
type memory struct {
	free    []*chunk
	names   []string
	numbers map[string]int
}

// take returns an empty chunk for a record of so many bytes.
func (m *memory) take(bytes int) *chunk {
	if bytes > chunkBytes {
		return &chunk{bytes: make([]byte, 0, bytes)}
	}
	if n := len(m.free); n > 0 {
		c := m.free[n-1]
		m.free = m.free[:n-1]
		return c
	}
	return &chunk{bytes: make([]byte, 0, chunkBytes)}
}

// giveBack takes back a chunk whose rows are no longer needed.
func (m *memory) giveBack(c *chunk) {
	if cap(c.bytes) == chunkBytes {
		c.bytes, c.rows = c.bytes[:0], 0
		m.free = append(m.free, c)
	}
}

// number returns the number of a qualifier. Rows of one format have nearly the same qualifiers in
// the same order, so the one after the previous cell's is tried first.
func (m *memory) number(qualifier string, guess int) int {
	if guess < len(m.names) && m.names[guess] == qualifier {
		return guess
	}
	n, ok := m.numbers[qualifier]
	if !ok {
		if m.numbers == nil {
			m.numbers = map[string]int{}
		}
		n = len(m.names)
		m.names = append(m.names, qualifier)
		m.numbers[qualifier] = n
	}
	return n
}

// record appends a row's cells to cells; key and values are parts of the record.
func (m *memory) record(b []byte, cells []schema.Cell) (key []byte, time int64, _ []schema.Cell) {
	key, b = cutKey(b)
	time, b = cutTime(b)
	n, b := cutNumber(b)
	for range n {
		var number, length int
		number, b = cutNumber(b)
		length, b = cutNumber(b)
		cells = append(cells, schema.Cell{Qualifier: m.names[number], Value: b[:length:length]})
		b = b[length:]
	}
	return key, time, cells
}

// writeRecord appends a record's row to a file.
func (m *memory) writeRecord(w *fileWriter, b []byte) error {
	key, b := cutKey(b)
	time, b := cutTime(b)
	n, b := cutNumber(b)
	for range n {
		var number, length int
		number, b = cutNumber(b)
		length, b = cutNumber(b)
		if err := w.hfile.Append(key, m.names[number], uint64(time)/1e6, b[:length]); err != nil {
			return err
		}
		b = b[length:]
	}
	w.file.last = append(w.file.last[:0], key...)
	return nil
}
