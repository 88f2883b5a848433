package embedded

import (
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"sluice/schema"
)

func TestAScanAllocatesNothingARow(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	w := newWriter(t, open(t, t.TempDir(), Options{}), 1)
	const rows = 20_000
	w.put(rows)
	w.flush()
	for _, s := range []schema.Scan{{}, {Reverse: true}, {Streams: []schema.StreamID{w.log.Stream.ID}}} {
		allocs := testing.AllocsPerRun(3, func() {
			for _, err := range w.table.Scan(context.Background(), s) {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocs > rows/20 { // of blocks and iterators
			t.Errorf("%+v: %.0f allocations for %d rows", s, allocs, rows)
		}
	}
}

func TestPutAllocatesNothingARow(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	w := newWriter(t, open(t, t.TempDir(), Options{}), 1)
	rows := w.next(1000)
	allocs := testing.AllocsPerRun(20, func() {
		if err := w.table.Put(context.Background(), rows); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 50 {
		t.Errorf("%.0f allocations for 1000 rows", allocs)
	}
}

func TestADamagedRowEndsTheScanAndIsNamed(t *testing.T) {
	w := newWriter(t, open(t, t.TempDir(), Options{}), 1)
	w.put(10)
	key := w.rows.Key(4)
	if err := w.table.db.Set(key, []byte("\x01\xff"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	n := 0
	var last error
	for _, err := range w.table.Scan(t.Context(), schema.Scan{}) {
		n++
		last = err
	}
	var damaged *ValueError
	if !errors.As(last, &damaged) || string(damaged.Key) != string(key) || n > 10 {
		t.Errorf("%v after %d rows", last, n)
	}
}

func TestAKeyThatIsNoRowEndsTheScan(t *testing.T) {
	w := newWriter(t, open(t, t.TempDir(), Options{}), 1)
	w.put(10)
	if err := w.table.db.Set([]byte("\x01short"), nil, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range w.table.Scan(t.Context(), schema.Scan{}) {
		last = err
	}
	if !errors.Is(last, schema.ErrLayout) {
		t.Errorf("%v", last)
	}
}
