package bench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sluice/archive/localdir"
	"sluice/bench/measure"
	"sluice/schema"
	"sluice/table/columnar"
)

// Table is the cost of writing and reading a columnar table.
type Table struct {
	Rows int64 `json:"rows"`
	// EncodeCPU is the CPU seconds for parsing a million lines and converting them to columns.
	EncodeCPU measure.Cost `json:"encode_cpu_seconds_per_million"`
	// WriteCPU is the CPU seconds of all threads for sorting, compressing and writing a million
	// rows.
	WriteCPU measure.Cost `json:"write_cpu_seconds_per_million"`
	// ScanSeconds is the time for a million rows with their lines, in time order.
	ScanSeconds  measure.Cost `json:"scan_seconds_per_million"`
	BytesPerRow  float64      `json:"disk_bytes_per_row"`
	BytesPerLine float64      `json:"line_bytes_per_row"`
}

// tableRound is the times of one round.
type tableRound struct{ encodeCPU, writeCPU, scan time.Duration }

// MeasureTable writes the lines to a new table below dir in each round, and scans it.
func MeasureTable(ctx context.Context, l *Lines, dir string, rounds int) (*Table, error) {
	t := &Table{Rows: l.count, BytesPerLine: float64(len(l.data)) / float64(l.count)}
	var list []tableRound
	for i := range rounds {
		path := filepath.Join(dir, "table"+strconv.Itoa(i))
		r, err := tableOnce(ctx, l, path)
		if err != nil {
			return nil, err
		}
		size, err := measure.DirBytes(path)
		if err != nil {
			return nil, err
		}
		t.BytesPerRow = float64(size) / float64(l.count)
		list = append(list, r)
	}
	cost := func(f func(tableRound) time.Duration) measure.Cost {
		return measure.CostOf(list, func(r tableRound) float64 { return measure.PerMillion(f(r), l.count) })
	}
	t.EncodeCPU = cost(func(r tableRound) time.Duration { return r.encodeCPU })
	t.WriteCPU = cost(func(r tableRound) time.Duration { return r.writeCPU })
	t.ScanSeconds = cost(func(r tableRound) time.Duration { return r.scan })
	return t, nil
}

func tableOnce(ctx context.Context, l *Lines, path string) (tableRound, error) {
	var r tableRound
	u, err := measure.Work(func() error {
		return eachChunk(ctx, l, func(schema.Batch, int, *columnar.Chunk) error { return nil })
	})
	if err != nil {
		return r, err
	}
	r.encodeCPU = u.CPU
	u, err = measure.Work(func() error { return fill(ctx, l, path) })
	if err != nil {
		return r, err
	}
	r.writeCPU = max(0, u.CPU-r.encodeCPU)
	r.scan, err = scan(ctx, path, l.count)
	return r, err
}

// eachChunk converts each batch to columns.
func eachChunk(ctx context.Context, l *Lines, do func(b schema.Batch, failed int, c *columnar.Chunk) error) error {
	stream := l.stream()
	encoder, err := columnar.NewEncoder(stream, nil, l.format, columnar.EncoderOptions{})
	if err != nil {
		return err
	}
	var chunk columnar.Chunk
	var rec schema.Record
	for b := range l.batches(stream) {
		chunk.Reset()
		offset, failed := b.Range.Start, 0
		for line := range bytes.Lines(b.Data) {
			l.format.Parse(bytes.TrimSuffix(line, []byte{'\n'}), &rec)
			encoder.Append(&chunk, offset, &rec)
			offset += int64(len(line))
			if rec.Err.Set() {
				failed++
			}
		}
		if err := errors.Join(do(b, failed, &chunk), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a table with one file.
func fill(ctx context.Context, l *Lines, path string) (err error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(path, "bench"+columnar.Suffix))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := columnar.NewWriter(file, columnar.WriterOptions{Segment: "bench"})
	err = eachChunk(ctx, l, func(b schema.Batch, failed int, c *columnar.Chunk) error {
		return w.Append(b.Stream, nil, b.Range, failed, c)
	})
	if err != nil {
		return err
	}
	_, err = w.Close()
	return err
}

func scan(ctx context.Context, path string, want int64) (took time.Duration, err error) {
	files, err := localdir.OpenToRead(path)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	table, err := columnar.OpenTable(files, columnar.TableOptions{}).Snapshot(ctx, columnar.Bounds{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	rows := int64(0)
	for _, err := range table.Scan(ctx, schema.Scan{}) {
		if err != nil {
			return 0, err
		}
		rows++
	}
	took = time.Since(began)
	return took, measure.CheckCount("rows scanned", rows, want)
}
