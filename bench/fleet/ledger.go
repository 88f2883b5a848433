package fleet

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"slices"
)

// Ledger records what a fleet wrote.
type Ledger struct {
	Seed  uint64  `json:"seed"`
	Lives []*Life `json:"lives"`
}

// Life is what was written to one file from its creation or truncation to the next.
type Life struct {
	File int `json:"file"`
	Life int `json:"life"`
	// Bytes, Lines and CRC (CRC-32C) are those of the whole life.
	Bytes int64  `json:"bytes"`
	Lines int    `json:"lines"`
	CRC   uint32 `json:"crc32c"`
	// TruncatedBytes is the length at which copytruncate ended the life; 0: it did not.
	TruncatedBytes int64 `json:"truncated_bytes,omitempty"`
	Marks          marks `json:"marks"`
}

// mark is the end of a line, and the CRC of everything before it. With two of them any range of
// whole lines can be checked.
type mark struct{ end, crc uint32 }

// marks are encoded in JSON as base64, 8 bytes each.
type marks []mark

func (m marks) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 8*len(m))
	for _, k := range m {
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, k.end), k.crc)
	}
	return json.Marshal(b)
}

func (m *marks) UnmarshalJSON(text []byte) error {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	*m = make(marks, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		*m = append(*m, mark{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])})
	}
	return nil
}

// add records a line.
func (l *Life) add(line []byte) error {
	if l.Bytes+int64(len(line)) > math.MaxUint32 || l.Lines+1 >= maxSeq {
		return fmt.Errorf("file %d grew beyond what a ledger holds: rotate it, or write less", l.File)
	}
	l.Bytes += int64(len(line))
	l.Lines++
	l.CRC = crc32.Update(l.CRC, castagnoli, line)
	l.Marks = append(l.Marks, mark{uint32(l.Bytes), l.CRC})
	return nil
}

// before returns the mark before line seq.
func (l *Life) before(seq int) mark {
	if seq == 0 {
		return mark{}
	}
	return l.Marks[seq-1]
}

// lineEndingAt returns the number of lines in the first end bytes; ok is false if no line ends
// there.
func (l *Life) lineEndingAt(end int64) (lines int, ok bool) {
	if end == 0 {
		return 0, true
	}
	i, ok := slices.BinarySearchFunc(l.Marks, end, func(m mark, end int64) int { return int(int64(m.end) - end) })
	return i + 1, ok
}

// total returns the number of lines and bytes written.
func (l *Ledger) total() (lines int, bytes int64) {
	for _, life := range l.Lives {
		lines, bytes = lines+life.Lines, bytes+life.Bytes
	}
	return lines, bytes
}

// Write saves the ledger as JSON.
func (l *Ledger) Write(path string) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// ReadLedger reads a saved ledger.
func ReadLedger(path string) (*Ledger, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l := &Ledger{}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, life := range l.Lives {
		if len(life.Marks) != life.Lines {
			return nil, fmt.Errorf("%s: file %d life %d has %d marks for %d lines", path, life.File, life.Life, len(life.Marks), life.Lines)
		}
	}
	return l, nil
}
