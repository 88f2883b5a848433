package hbase

import (
	"bytes"
	"testing"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
	"sluice/schema"
)

func TestEncodingRowsAllocatesNothing(t *testing.T) {
	key := bytes.Repeat([]byte("k"), 23)
	cells := []schema.Cell{{Qualifier: "agent", Value: []byte("Mozilla")}, {Qualifier: "status", Value: make([]byte, 8)}, {Qualifier: "logbody", Value: make([]byte, 226)}}
	b := &batch{region: &region.Region{Name: []byte("t,,1.e.")}}
	var m multi
	list := []*batch{b}
	request := func() {
		b.cells, b.rows = b.cells[:0], b.rows[:0]
		for range 100 {
			b.appendRow("l", key, 1e18, cells)
		}
		m.encode(list, SyncWAL)
	}
	request()
	// One for each request, which is the region's name: none for a row or a cell.
	if n := testing.AllocsPerRun(100, request); n > 2 {
		t.Errorf("%v allocations for a request of 100 rows", n)
	}
}

func TestARowWithoutATimeHasTheServersClock(t *testing.T) {
	for nanos, want := range map[int64]uint64{0: wire.Latest, 1_788_393_600_123_456_789: 1_788_393_600_123} {
		var b batch
		b.appendRow("l", []byte("key"), nanos, []schema.Cell{{Qualifier: "q"}})
		if c, _, err := wire.CutCell(b.cells); err != nil || c.Timestamp != want {
			t.Errorf("%d ns: timestamp %d, want %d (%v)", nanos, c.Timestamp, want, err)
		}
	}
}

func TestAnAnswerThatDoesNotFitItsRequestIsMalformed(t *testing.T) {
	one := func(index uint64) []byte { return protobuf.AppendUint(nil, 1, index) }
	two := &batch{rows: make([]rowEnd, 2)}
	region := func(results ...[]byte) []byte {
		var r []byte
		for _, b := range results {
			r = protobuf.AppendBytes(r, 1, b)
		}
		return protobuf.AppendBytes(nil, 1, r)
	}
	for name, message := range map[string][]byte{
		"no region":         nil,
		"two regions":       append(region(one(0), one(1)), region(one(0), one(1))...),
		"one row":           region(one(0)),
		"three rows":        region(one(0), one(1), one(1)),
		"a row that is not": region(one(0), one(2)),
	} {
		if _, err := parseMulti(message, []*batch{two}); err == nil || rpc.Classify(err) != rpc.Unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
	if o, err := parseMulti(region(one(0), one(1)), []*batch{two}); err != nil || o[0].done != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}

func FuzzResponses(f *testing.F) {
	f.Add(protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, protobuf.AppendUint(nil, 1, 0))))
	f.Add(protobuf.AppendBool(protobuf.AppendUint(protobuf.AppendUint(nil, 1, 3), 2, 7), 8, true))
	f.Fuzz(func(t *testing.T, message []byte) {
		if o, err := parseMulti(message, []*batch{{rows: make([]rowEnd, 3)}}); err == nil && (len(o) != 1 || o[0].err == nil && o[0].done+len(o[0].failed) != 3) {
			t.Errorf("%+v", o)
		}
		s, err := parseScan(message)
		if err != nil {
			return
		}
		r := &rangeScan{order: &scanOrder{}}
		if _, err := r.block(&rpc.Response{Cells: message}, &s); err == nil && len(r.at) > len(message) {
			t.Error("a key longer than the answer")
		}
		_, _ = parseDescriptor(message)
		_, _ = parseProcedure(message)
	})
}
