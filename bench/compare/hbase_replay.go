package compare

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sluice/hbase/wire"
	"sluice/schema"
)

// rowMaker makes rows, one batch at a time. Rows are valid until the second call of next after it.
type rowMaker interface {
	// next makes the rows of the next batch; false: there are no more.
	next() (bool, error)
	made() *schema.Rows
	close() error
}

// rowReplay is a rowMaker of the rows in a file that writeRowFile wrote: Java's clients make their
// rows of the same file, which is mapped too. Nothing is parsed.
type rowReplay struct {
	file       []byte // mapped
	left       []byte
	qualifiers []string
	cells      []schema.Cell
	blocks     [2]schema.Rows // rows of this batch and the one before
	turn       int
}

func openReplay(path string) (*rowReplay, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping remains
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r := &rowReplay{}
	if r.file, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	r.left = r.file
	r.take(int(r.take(1)[0])) // the family, which the table has too
	for range binary.BigEndian.Uint16(r.take(2)) {
		r.qualifiers = append(r.qualifiers, string(r.take(int(r.take(1)[0]))))
	}
	return r, nil
}

// take returns the next n bytes. It panics if the file is shorter: it is this program's own.
func (r *rowReplay) take(n int) []byte {
	b := r.left[:n]
	r.left = r.left[n:]
	return b
}

func (r *rowReplay) made() *schema.Rows { return &r.blocks[r.turn] }

func (r *rowReplay) next() (bool, error) {
	r.turn = 1 - r.turn
	rows := r.made()
	rows.Reset()
	for begin := len(r.left); len(r.left) > 0 && begin-len(r.left) < batchBytes; {
		key := r.take(int(binary.BigEndian.Uint16(r.take(2))))
		nanos := int64(0)
		if ms := binary.BigEndian.Uint64(r.take(8)); ms != wire.Latest {
			nanos = int64(ms) * 1e6
		}
		r.cells = r.cells[:0]
		for range binary.BigEndian.Uint16(r.take(2)) {
			q := r.qualifiers[binary.BigEndian.Uint16(r.take(2))]
			r.cells = append(r.cells, schema.Cell{Qualifier: q, Value: r.take(int(binary.BigEndian.Uint32(r.take(4))))})
		}
		rows.Append(key, nanos, r.cells)
	}
	return rows.Len() > 0, nil
}

func (r *rowReplay) close() error {
	err := unix.Munmap(r.file)
	r.file, r.left = nil, nil
	return err
}
