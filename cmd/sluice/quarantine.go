package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"sluice/schema"
)

// quarantine is the file of the rows that servers reject, in the data directory.
type quarantine struct {
	cli *cli
	log *slog.Logger
	mu  sync.Mutex // held while the file is written
}

func (q *quarantine) path() string { return filepath.Join(q.cli.Data, "quarantine.jsonl") }

// refusedRow is a line of the quarantine file: a row that the servers reject.
type refusedRow struct {
	Key    string            `json:"key"` // hexadecimal
	Reason string            `json:"reason"`
	Cells  map[string][]byte `json:"cells"` // base64
}

// add appends a row that the table rejected permanently to DATA/quarantine.jsonl and syncs
// the file. The row then counts as stored. Calls may run at the same time.
func (q *quarantine) add(key []byte, cells []schema.Cell, reason error) error {
	row := refusedRow{Key: hex.EncodeToString(key), Reason: reason.Error(), Cells: make(map[string][]byte)}
	for _, c := range cells {
		row.Cells[c.Qualifier] = c.Value
	}
	line, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("quarantine row %s: %w", row.Key, err)
	}
	name := q.path()
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := appendLine(name, line); err != nil {
		return fmt.Errorf("quarantine row %s: %w", row.Key, err)
	}
	q.log.Warn("table rejected a row, row quarantined", "key", row.Key, "err", reason, "path", name)
	return nil
}

// appendLine appends a line to a file and syncs it. It first removes an incomplete last line, left
// by a crash or a full disk: that line was never acknowledged, and a reader could not read the
// lines after it.
func appendLine(name string, line []byte) (err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := wholeLines(f)
	if err != nil {
		return err
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	if _, err := f.WriteAt(append(line, '\n'), end); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return f.Sync()
}

// wholeLines returns the offset at which the last complete line of a file ends.
func wholeLines(f *os.File) (end int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var block [4096]byte
	for end = info.Size(); end > 0; {
		b := block[:min(end, int64(len(block)))]
		if _, err := f.ReadAt(b, end-int64(len(b))); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return end - int64(len(b)) + int64(i) + 1, nil
		}
		end -= int64(len(b))
	}
	return 0, nil
}

// rows returns the cells of the quarantined rows by key, sorted by qualifier. Of a row that was
// quarantined twice, it returns the later one.
func (q *quarantine) rows() (rows map[string][]schema.Cell, err error) {
	name := q.path()
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	rows = map[string][]schema.Cell{}
	for d := json.NewDecoder(f); ; {
		var row refusedRow
		err := d.Decode(&row)
		if err == io.EOF || err == io.ErrUnexpectedEOF { // the last line is being written
			return rows, nil
		}
		var key []byte
		if err == nil {
			key, err = hex.DecodeString(row.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var cells []schema.Cell
		for _, qualifier := range slices.Sorted(maps.Keys(row.Cells)) {
			cells = append(cells, schema.Cell{Qualifier: qualifier, Value: row.Cells[qualifier]})
		}
		rows[string(key)] = cells
	}
}
