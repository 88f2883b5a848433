package collector

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sluice/ingest/collector/collectortest"
	"sluice/schema"
)

// TestALineIsCountedOnceAtItsHost checks that a line is not counted again when it is sent again,
// also if the process was killed and the sender offers everything to the next one.
func TestALineIsCountedOnceAtItsHost(t *testing.T) {
	r := newRig(t, nil)
	var b strings.Builder
	for _, status := range []string{"100", "200", "204", "301", "404", "503", "600", "-", "99999999"} {
		fmt.Fprintf(&b, "192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" %s 7\n", status)
	}
	b.WriteString("damaged\n")
	log := b.String()
	s := r.stream(t, "web01", log, 2)
	half := strings.Index(log, "404")
	half = strings.LastIndexByte(log[:half], '\n') + 1 // 1xx, two 2xx, 3xx
	var sum Arrivals
	add := func(n Arrivals) {
		sum.Lines, sum.Bytes, sum.ParseErrors = sum.Lines+n.Lines, sum.Bytes+n.Bytes, sum.ParseErrors+n.ParseErrors
		for i := range sum.ByClass {
			sum.ByClass[i] += n.ByClass[i]
		}
	}
	put := func(from, to int) {
		t.Helper()
		if err := r.collector.Append(t.Context(), s, batch(s, log, from, to)); err != nil {
			t.Fatal(err)
		}
	}
	put(0, half)
	put(0, half)
	first := r.collector.State().Arrivals["web01"]
	if first.Lines != 4 || first.Bytes != int64(half) || first.ByClass != [Classes]int64{0, 1, 2, 1, 0, 0} {
		t.Errorf("one half, sent twice: %+v", first)
	}
	add(first)
	r.restart(t)
	s = r.cp.Stream(s.ID)
	put(0, len(log))
	add(r.collector.State().Arrivals["web01"])
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := Arrivals{Lines: 10, Bytes: int64(len(log)), ParseErrors: 1, ByClass: [Classes]int64{4, 1, 2, 1, 1, 1}}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("both processes: %+v, want %+v", sum, want)
	}
}

// TestCountingByClassAllocatesNothing checks parsing and counting a batch.
func TestCountingByClassAllocatesNothing(t *testing.T) {
	r := newRig(t, nil)
	log := strings.Repeat("192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 7\n", 100)
	s := r.stream(t, "web01", log, 2)
	st := r.collector.streams.of(s)
	if _, _, err := r.collector.cfg.prepare(st, &st.reader); err != nil {
		t.Fatal(err)
	}
	p := &parsedBatch{lines: []byte(log), cuts: make([]cut, 0, 4)}
	if n := testing.AllocsPerRun(20, func() {
		p.cuts = p.cuts[:0]
		if err := p.read(t.Context(), &st.reader, collectortest.Days{}, 0); err != nil {
			t.Fatal(err)
		}
		for i := range p.cuts {
			st.arrivals.add(&p.cuts[i])
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if classOf(&schema.Record{}, -1) != 0 {
		t.Error("a format without a status has a class")
	}
}
