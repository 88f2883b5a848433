package fleet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// rowBytes is the fixed length of a row on disk, so that a partial row after a kill can be detected
// by the file's length.
const rowBytes = 4 + 8 + 3*4 + 8 + 8 + 4 + 4

// AppendTo appends the row in the format of the journal.
func (r Row) AppendTo(b []byte) []byte {
	e := binary.LittleEndian
	b = e.AppendUint32(b, r.Run)
	b = e.AppendUint64(b, r.Stream)
	b = e.AppendUint32(b, uint32(r.First.File))
	b = e.AppendUint32(b, uint32(r.First.Life))
	b = e.AppendUint32(b, uint32(r.First.Seq))
	b = e.AppendUint64(b, uint64(r.Start))
	b = e.AppendUint64(b, uint64(r.End))
	b = e.AppendUint32(b, r.CRC)
	return e.AppendUint32(b, r.Lines)
}

// OpenJournal opens a journal for appending. A partial row at the end is removed.
func OpenJournal(path string) (_ *os.File, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size()%rowBytes != 0 {
		err = f.Truncate(info.Size() - info.Size()%rowBytes)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadJournal returns the rows of a journal; none if the file does not exist.
func ReadJournal(path string) ([]Row, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(b)%rowBytes != 0 {
		return nil, fmt.Errorf("%s ends within a row", path)
	}
	e := binary.LittleEndian
	rows := make([]Row, 0, len(b)/rowBytes)
	for ; len(b) > 0; b = b[rowBytes:] {
		rows = append(rows, Row{
			Run: e.Uint32(b), Stream: e.Uint64(b[4:]),
			First: LineID{int(e.Uint32(b[12:])), int(e.Uint32(b[16:])), int(e.Uint32(b[20:]))},
			Start: int64(e.Uint64(b[24:])), End: int64(e.Uint64(b[32:])), CRC: e.Uint32(b[40:]), Lines: e.Uint32(b[44:]),
		})
	}
	return rows, nil
}
