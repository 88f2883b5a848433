package bench

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"sluice/hbase/embedded"
	"sluice/parse"
	"sluice/schema"
)

// Table is the embedded table, filled and scanned once a round.
type Table struct {
	Rows int64 `json:"rows"`
	// EncodeCPU is parsing lines and making rows of them: CPU seconds a million.
	EncodeCPU Cost `json:"encode_cpu_seconds_per_million"`
	// PutCPU is Put, Flush and Close, all threads, without EncodeCPU.
	PutCPU Cost `json:"put_cpu_seconds_per_million"`
	// PutSeconds is how long Put and Flush kept their caller waiting, a million rows.
	PutSeconds Cost `json:"put_seconds_per_million"`
	// ScanSeconds is for a million rows, every cell, in time order.
	ScanSeconds  Cost    `json:"scan_seconds_per_million"`
	BytesPerRow  float64 `json:"disk_bytes_per_row"`
	BytesPerLine float64 `json:"line_bytes_per_row"`
}

// tableRound is one round's times.
type tableRound struct{ encodeCPU, putCPU, put, scan time.Duration }

// MeasureTable fills a table in a folder below dir with the lines, each round
// anew, and scans it.
func MeasureTable(ctx context.Context, l *Lines, dir string, rounds int) (*Table, error) {
	t := &Table{Rows: l.count, BytesPerLine: float64(len(l.data)) / float64(l.count)}
	var list []tableRound
	for i := range rounds {
		path := filepath.Join(dir, "table"+strconv.Itoa(i))
		r, err := tableOnce(ctx, l, path)
		if err != nil {
			return nil, err
		}
		size, err := folderBytes(path)
		if err != nil {
			return nil, err
		}
		t.BytesPerRow = float64(size) / float64(l.count)
		list = append(list, r)
	}
	cost := func(f func(tableRound) time.Duration) Cost {
		return costOf(list, func(r tableRound) float64 { return perMillion(f(r), l.count) })
	}
	t.EncodeCPU = cost(func(r tableRound) time.Duration { return r.encodeCPU })
	t.PutCPU = cost(func(r tableRound) time.Duration { return r.putCPU })
	t.PutSeconds = cost(func(r tableRound) time.Duration { return r.put })
	t.ScanSeconds = cost(func(r tableRound) time.Duration { return r.scan })
	return t, nil
}

func tableOnce(ctx context.Context, l *Lines, path string) (tableRound, error) {
	var r tableRound
	layout, err := schema.NewLayout(schema.LayoutTyped)
	if err != nil {
		return r, err
	}
	encode := newEncode(l, layout)
	u, err := inProcess(func() error { return encode.each(func(*schema.Rows) error { return ctx.Err() }) })
	if err != nil {
		return r, err
	}
	r.encodeCPU = u.CPU
	u, err = inProcess(func() error { return fill(ctx, encode, path, &r.put) })
	if err != nil {
		return r, err
	}
	r.putCPU = max(0, u.CPU-r.encodeCPU)
	r.scan, err = scan(ctx, path, l.count)
	return r, err
}

// fill makes a table; waited grows by the time in Put and Flush.
func fill(ctx context.Context, encode *encode, path string, waited *time.Duration) (err error) {
	table, err := embedded.Open(path, embedded.Options{Layout: &encode.layout})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	wait := func(f func() error) error {
		began := time.Now()
		defer func() { *waited += time.Since(began) }()
		return f()
	}
	err = encode.each(func(rows *schema.Rows) error {
		return wait(func() error { return table.Put(ctx, rows) })
	})
	if err != nil {
		return err
	}
	return wait(func() error { return table.Flush(ctx) })
}

func scan(ctx context.Context, path string, want int64) (took time.Duration, err error) {
	table, err := embedded.Open(path, embedded.Options{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	rows := int64(0)
	began := time.Now()
	for _, err := range table.Scan(ctx, schema.Scan{}) {
		if err != nil {
			return 0, err
		}
		rows++
	}
	took = time.Since(began)
	return took, checkCount("rows scanned", rows, want)
}

// encode makes rows of lines, in blocks of a batch.
type encode struct {
	lines  *Lines
	layout schema.Layout
	format *parse.Format
	rows   schema.Rows
	rec    schema.Record
}

func newEncode(l *Lines, layout schema.Layout) *encode {
	return &encode{lines: l, layout: layout, format: l.format}
}

func (e *encode) each(do func(*schema.Rows) error) error {
	stream := e.lines.stream()
	encoder := e.layout.NewRowEncoder(stream, e.format.Fields())
	for b := range e.lines.batches(stream) {
		e.rows.Reset()
		offset := b.Range.Start
		for line := range bytes.Lines(b.Data) {
			e.format.Parse(bytes.TrimSuffix(line, []byte{'\n'}), &e.rec)
			encoder.Append(&e.rows, offset, &e.rec)
			offset += int64(len(line))
		}
		if err := do(&e.rows); err != nil {
			return err
		}
	}
	return nil
}

func folderBytes(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
