package compare

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"sluice/bench"
	"sluice/hbase/wire"
	"sluice/ingest/logfile"
	"sluice/parse"
	"sluice/schema"
)

// rowSource reads a log as rows, one batch at a time like ingest. Its memory does not grow with the
// log.
type rowSource struct {
	log     io.ReadCloser
	format  *parse.Format
	encoder *schema.RowEncoder
	data    []byte // bytes that were read; the first used bytes were converted
	spare   []byte // memory of the rows of the batch before
	used    int
	offset  int64 // position of data in the log
	ended   bool
	rec     schema.Record
	rows    *schema.Rows
	blocks  [2]schema.Rows // rows of this batch and the one before
}

// batchBytes is the size of a batch of lines, as in ingest.
const batchBytes = 1 << 20

func openRows(path, format string, layout schema.Layout) (*rowSource, error) {
	log, err := logfile.Open(path)
	if err != nil {
		return nil, err
	}
	s := &rowSource{log: log, data: make([]byte, 0, batchBytes), spare: make([]byte, 0, batchBytes)}
	s.rows = &s.blocks[0]
	if err = s.fill(); err == nil && format == parse.AutoName {
		s.format, err = parse.Auto(s.data[:min(len(s.data), 64<<10)], nil)
	} else if err == nil {
		s.format, err = parse.Lookup(format, time.UTC)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), log.Close())
	}
	s.encoder = layout.NewRowEncoder(bench.SampleStream(s.format), s.format.Fields())
	return s, nil
}

// fill reads more bytes after the incomplete line.
func (s *rowSource) fill() error {
	s.offset += int64(s.used)
	s.data, s.spare = append(s.spare[:0], s.data[s.used:]...), s.data
	s.used = 0
	if len(s.data) == cap(s.data) {
		s.data = slices.Grow(s.data, cap(s.data))
	}
	n, err := io.ReadFull(s.log, s.data[len(s.data):cap(s.data)])
	s.data = s.data[:len(s.data)+n]
	if s.ended = err == io.EOF || err == io.ErrUnexpectedEOF; s.ended {
		err = nil
	}
	return err
}

// next makes the rows of the next batch. Rows are valid until the second call after it. It returns
// false if there are no more.
func (s *rowSource) next() (bool, error) {
	if s.rows == &s.blocks[0] {
		s.rows = &s.blocks[1]
	} else {
		s.rows = &s.blocks[0]
	}
	s.rows.Reset()
	for s.rows.Len() == 0 {
		end := bytes.LastIndexByte(s.data[s.used:], '\n') + 1
		if end == 0 && s.ended {
			end = len(s.data) - s.used // a last line without newline counts
		}
		for line := range bytes.Lines(s.data[s.used : s.used+end]) {
			s.format.Parse(bytes.TrimSuffix(line, []byte{'\n'}), &s.rec)
			s.encoder.Append(s.rows, s.offset+int64(s.used), &s.rec)
			s.used += len(line)
		}
		if s.rows.Len() > 0 {
			break
		}
		if s.ended {
			return false, nil
		}
		if err := s.fill(); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *rowSource) made() *schema.Rows { return s.rows }

func (s *rowSource) close() error { return s.log.Close() }

// writeRowFile writes the rows of a log in the format of peer/RowFile.java: the keys, timestamps
// and cells that sluice's client sends.
func writeRowFile(to, path, format string, layout schema.Layout) (err error) {
	qualifiers, err := qualifiersOf(path, format, layout)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	b := append([]byte{byte(len(layout.Family))}, layout.Family...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(qualifiers)))
	for _, q := range qualifiers {
		b = append(append(b, byte(len(q))), q...)
	}
	w.Write(b) // nolint:errcheck // Flush returns the error
	err = eachRows(path, format, layout, func(rows *schema.Rows) error {
		for i := range rows.Len() {
			b = appendFileRow(b[:0], rows, i, qualifiers)
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, w.Flush())
}

func appendFileRow(b []byte, rows *schema.Rows, i int, qualifiers []string) []byte {
	key, timestamp := rows.Key(i), uint64(wire.Latest)
	if nanos := rows.Time(i); nanos > 0 {
		timestamp = uint64(nanos) / 1e6
	}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(key))), key...)
	b = binary.BigEndian.AppendUint64(b, timestamp)
	cells := rows.Cells(i)
	b = binary.BigEndian.AppendUint16(b, uint16(len(cells)))
	for _, c := range cells {
		b = binary.BigEndian.AppendUint16(b, uint16(slices.Index(qualifiers, c.Qualifier)))
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(c.Value))), c.Value...)
	}
	return b
}

// qualifiersOf returns the qualifiers of all cells, unordered.
func qualifiersOf(path, format string, layout schema.Layout) (qualifiers []string, err error) {
	seen := make(map[string]bool)
	err = eachRows(path, format, layout, func(rows *schema.Rows) error {
		for i := range rows.Len() {
			for _, c := range rows.Cells(i) {
				if !seen[c.Qualifier] {
					seen[c.Qualifier] = true
					qualifiers = append(qualifiers, c.Qualifier)
				}
			}
		}
		return nil
	})
	return qualifiers, err
}

func eachRows(path, format string, layout schema.Layout, do func(*schema.Rows) error) (err error) {
	s, err := openRows(path, format, layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for {
		more, err := s.next()
		if err != nil || !more {
			return err
		}
		if err := do(s.rows); err != nil {
			return err
		}
	}
}
