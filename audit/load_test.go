package audit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sluice/schema"
	"sluice/table/tabletest"
)

// Whether rows are loaded as files is decided before the first one is written.
func TestARepairSaysFirstHowMuchTheTableLacks(t *testing.T) {
	all := func(*worldStream, int) bool { return true }
	for name, c := range map[string]struct {
		drop   func(*worldStream, int) bool
		change func(*worldStream, int) bool
		want   float64 // part of the log
	}{
		"nothing":          {},
		"every row":        {drop: all, want: 1},
		"half of them":     {drop: func(_ *worldStream, line int) bool { return line%2 == 0 }, want: 0.5},
		"rows that differ": {change: all},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.drop, w.change = c.drop, c.change
			w.fillTable()
			log := int64(0)
			for _, s := range w.streams {
				log += s.Stored
			}
			table := &recorder{Memory: w.table}
			cfg := w.config()
			cfg.Table = table
			expected, calls := int64(0), 0
			cfg.Expect = func(bytes int64) {
				expected = bytes
				if calls++; table.rows > 0 {
					t.Errorf("it is asked after %d rows", table.rows)
				}
			}
			if _, err := Repair(t.Context(), cfg, w.archive, w.dir); err != nil {
				t.Fatal(err)
			}
			if want := c.want * float64(log); calls != 1 || float64(expected) < want-2 || float64(expected) > want {
				t.Errorf("%d calls, %d bytes expected, want %.0f", calls, expected, want)
			}
			if report := w.audit(); report.Differences() > 0 {
				t.Error(named(report))
			}
		})
	}
}

// A table that is loaded from files shows the rows of a repair at once, at its Flush. The repair ends
// between that and the entries of the streams: the next one finds the rows, and enters the streams.
func TestARepairThatEndedBetweenRowsAndEntriesIsCompleted(t *testing.T) {
	w := newWorld(t)
	w.table = newTable(t, nil)
	table := &recorder{Memory: w.table, late: true, failAfterFlush: true}
	cfg := w.config()
	cfg.Table = table
	if _, err := Repair(t.Context(), cfg, w.archive, w.dir); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	left := filepath.Join(w.dir, temporary+"17") // as a kill leaves it
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	r := w.repair()
	if r.Repairs.Rows != 0 || r.Repairs.Streams != int64(len(w.streams)) {
		t.Errorf("the second repair: %+v", r.Repairs)
	}
	if report := w.audit(); report.Differences() > 0 {
		t.Error(named(report))
	}
}

var errKilled = errors.New("killed")

// recorder counts the rows that are put.
type recorder struct {
	*tabletest.Memory
	rows           int
	late           bool // rows are in the table after Flush
	failAfterFlush bool // the next Put after a Flush fails
	waiting        schema.Rows
	flushed        bool
}

func (r *recorder) Put(ctx context.Context, rows *schema.Rows) error {
	if r.flushed && r.failAfterFlush {
		return errKilled
	}
	r.rows += rows.Len()
	if !r.late {
		return r.Memory.Put(ctx, rows)
	}
	for i := range rows.Len() {
		cells := slices.Clone(rows.Cells(i))
		for j := range cells {
			cells[j].Value = bytes.Clone(cells[j].Value)
		}
		r.waiting.Append(rows.Key(i), rows.Time(i), cells)
	}
	return nil
}

func (r *recorder) Flush(ctx context.Context) error {
	r.flushed = true
	err := r.Memory.Put(ctx, &r.waiting)
	r.waiting.Reset()
	return errors.Join(err, r.Memory.Flush(ctx))
}
