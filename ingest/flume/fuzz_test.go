package flume

import (
	"bytes"
	"testing"

	"sluice/ingest/avrorpc"
)

// FuzzEvents reads any bytes as a request: an accepted one has as many events as it announces, and
// each is encoded to the same bytes.
func FuzzEvents(f *testing.F) {
	line := Event{Headers: []Header{{[]byte(HeaderHost), []byte("web01")}, {[]byte(HeaderByteOffset), []byte("7")}}, Body: []byte("a line")}
	f.Add(line.append(nil), true)
	f.Add(avrorpc.AppendEnd(line.append(line.append(avrorpc.AppendCount(nil, 2))), 2), false)
	f.Add([]byte{0}, false)
	session := captured(f)
	f.Add(session[bytes.LastIndex(session, []byte("appendBatch"))+len("appendBatch"):], false)
	f.Fuzz(func(t *testing.T, params []byte, single bool) {
		events, err := newEvents(params, single)
		if err != nil {
			return
		}
		var e, again Event
		left := events.Len()
		for ; events.Next(&e); left-- {
			r := avrorpc.NewReader(e.append(nil))
			if again.read(&r); r.End() != nil || string(again.Body) != string(e.Body) || len(again.Headers) != len(e.Headers) {
				t.Fatalf("%+v comes back as %+v: %v", e, again, r.End())
			}
		}
		if left != 0 || events.r.Err() != nil {
			t.Fatalf("%d events are left: %v", left, events.r.Err())
		}
	})
}
