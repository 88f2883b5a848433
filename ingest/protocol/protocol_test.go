package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sluice/bench/sample"
	"sluice/ingest/avrorpc"
	"sluice/schema"
)

type message interface {
	Append([]byte) []byte
	Decode([]byte) error
}

func messages() []message {
	positions := []Position{{1, 20, 10}, {1 << 63, 1 << 40, 0}}
	return []message{
		&Hello{Host: "web01", Agent: "sluice 1", Labels: map[string]string{"site": "a"}, Streams: []Stream{
			{ID: 7, Path: "/var/log/access.log", Format: "combined", Zone: "Europe/Berlin", Labels: map[string]string{"a": "b"}, FirstLine: []byte("x"), Size: 99, Stored: 12}}},
		&Welcome{Collector: "c1", Positions: positions, MaxBatchBytes: 1 << 20, Compressions: []Compression{Zstd, S2}},
		&Receipt{Status: Refused, Reason: "why", Received: 5, Stored: 4},
		&Heartbeat{Host: "web01", TimeMs: 1, Streams: []Progress{{7, 3, 2, 1}}, Governor: Governor{1, 2, "busy"}, Counters: map[string]int64{"lines": 4}, Problems: []string{"a log cannot be read", ""}},
		&Directive{Positions: positions, Pause: true, MaxBytesPerSecond: 5, Reason: "full", AcknowledgedLoss: 1 << 60},
		&directive2{Directive{Positions: positions, Pause: true, MaxBytesPerSecond: 5, Reason: "full"}},
	}
}

// directive2 is a Directive in the encoding of Version2.
type directive2 struct{ Directive }

func (d *directive2) Append(b []byte) []byte { return d.AppendVersion(b, Version2) }
func (d *directive2) Decode(b []byte) error  { return d.DecodeVersion(b, Version2) }

func TestMessagesAreDecodedAndTruncatedOnesAreRejected(t *testing.T) {
	for _, m := range messages() {
		b := m.Append(nil)
		got := reflect.New(reflect.TypeOf(m).Elem()).Interface().(message)
		if err := got.Decode(b); err != nil || !reflect.DeepEqual(m, got) {
			t.Errorf("%+v came back as %+v, %v", m, got, err)
		}
		for n := range b {
			if err := got.Decode(b[:n]); !errors.Is(err, avrorpc.ErrMalformed) {
				t.Errorf("%T cut at %d: %v", m, n, err)
			}
		}
		if err := got.Decode(append(b, 0)); !errors.Is(err, avrorpc.ErrMalformed) {
			t.Errorf("%T and a byte: %v", m, err)
		}
	}
}

// TestEarlierVersionsKeepTheirHashes: agents and collectors of these versions know them by their
// hashes.
func TestEarlierVersionsKeepTheirHashes(t *testing.T) {
	if got := fmt.Sprintf("%x", Version2.Protocol().Hash); got != "835c102cad938e16dd5a8c25da5b8d57" {
		t.Errorf("version 2 has the hash %s", got)
	}
	for _, v := range Versions() {
		if VersionOf(v.Protocol()) != v || v.Protocol().Name != fmt.Sprintf("sluice.Collector%d", v) {
			t.Errorf("version %d is %q", v, v.Protocol().Name)
		}
	}
}

func codec(t testing.TB) *Codec {
	c, err := NewCodec(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestBodiesAreDecodedAndDamageIsDetected(t *testing.T) {
	c := codec(t)
	data := bytes.Repeat([]byte("127.0.0.1 - - a line\n"), 1000)
	for compression := range Compression(compressions) {
		m := Batch{Stream: 1, Range: schema.Range{Start: 5, End: 5 + int64(len(data))}, Lines: 1000, Compression: compression}
		c.Encode(&m, data, nil)
		if m.Compression != compression {
			t.Errorf("%s became %s", compression, m.Compression)
		}
		var got Batch
		if err := got.Decode(append(m.AppendHead(nil), m.Body...)); err != nil {
			t.Fatal(err)
		}
		if d, err := c.Data(&got, nil); err != nil || !bytes.Equal(d, data) {
			t.Errorf("%s: %v", compression, err)
		}
		for _, hurt := range []func(*Batch){
			func(m *Batch) { m.Range.End++ },
			func(m *Batch) { m.Range.End-- },
			func(m *Batch) { m.CRC++ },
			func(m *Batch) { m.Body = m.Body[:len(m.Body)-1] },
		} {
			bad := m
			hurt(&bad)
			if _, err := c.Data(&bad, nil); !errors.Is(err, errBody) {
				t.Errorf("%s: a damaged body: %v", compression, err)
			}
		}
	}
}

func TestABombTakesNoMoreMemoryThanItsRange(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := z.EncodeAll(make([]byte, 64<<20), nil)
	c := codec(t)
	m := Batch{Range: schema.Range{End: 1000}, Lines: 1, Compression: Zstd, Body: bomb}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Data(&m, nil); !errors.Is(err, errBody) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes for a bomb", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	var buf bytes.Buffer
	if err := sample.Write(&buf, 1, 8000); err != nil {
		b.Fatal(err)
	}
	for _, kib := range []int{64, 256, 1024} {
		data := buf.Bytes()[:kib<<10]
		data = data[:bytes.LastIndexByte(data, '\n')+1]
		lines := bytes.Count(data, []byte("\n"))
		for compression := range Compression(compressions) {
			b.Run(fmt.Sprintf("%s/KiB=%d", compression, kib), func(b *testing.B) {
				c := codec(b)
				var room []byte
				var m Batch
				b.ReportAllocs()
				for b.Loop() {
					m.Compression = compression
					c.Encode(&m, data, room)
					if compression != None {
						room = m.Body[:0]
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/line")
				b.ReportMetric(float64(len(data))/float64(len(m.Body)), "ratio")
			})
		}
	}
}
