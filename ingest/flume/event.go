package flume

import (
	_ "embed"

	"sluice/ingest/avrorpc"
)

//go:embed source.avpr
var text string

// Protocol is AvroSourceProtocol without the licence that Flume's own text has in
// it, so with another hash: the first handshake of a connection takes one message
// more.
func Protocol() *avrorpc.Protocol {
	p, err := avrorpc.NewProtocol(text)
	if err != nil {
		panic(err) // the text is ours
	}
	return p
}

// The headers that say where an event comes from.
const (
	HeaderHost       = "host"       // Flume's host interceptor
	HeaderTimestamp  = "timestamp"  // ms since 1970, its timestamp interceptor
	HeaderFile       = "file"       // TAILDIR's fileHeader
	HeaderByteOffset = "byteoffset" // TAILDIR's byteOffsetHeader
)

// What one event or request may hold.
const (
	maxHeaders     = 256
	maxHeaderBytes = 64 << 10
	maxEvents      = 1 << 20
)

// Header is one of an event's.
type Header struct{ Key, Value []byte }

// Event is a line with its headers; the body has no newline.
type Event struct {
	Headers []Header
	Body    []byte
}

// Header is the value of a header, nil where there is none.
func (e *Event) Header(key string) []byte {
	for _, h := range e.Headers {
		if string(h.Key) == key {
			return h.Value
		}
	}
	return nil
}

func (e *Event) read(r *avrorpc.Reader) {
	e.Headers = e.Headers[:0]
	for items := r.Items(maxHeaders); items.Next(); {
		e.Headers = append(e.Headers, Header{r.Bytes(maxHeaderBytes), r.Bytes(maxHeaderBytes)})
	}
	e.Body = r.Bytes(len(r.Rest()))
}

func (e *Event) append(b []byte) []byte {
	b = avrorpc.AppendCount(b, len(e.Headers))
	for _, h := range e.Headers {
		b = avrorpc.AppendBytes(avrorpc.AppendBytes(b, h.Key), h.Value)
	}
	return avrorpc.AppendBytes(avrorpc.AppendEnd(b, len(e.Headers)), e.Body)
}

// Events are those of one request, checked as a whole before the first is handed
// out. They point into the request.
type Events struct {
	r      avrorpc.Reader
	params []byte
	single bool
	left   int
	block  avrorpc.Items
	began  bool
}

// newEvents checks a request's parameters.
func newEvents(params []byte, single bool) (*Events, error) {
	e := &Events{params: params, single: single}
	r := avrorpc.NewReader(params)
	var event Event
	if single {
		event.read(&r)
		e.left = 1
	} else {
		for items := r.Items(maxEvents); items.Next(); e.left++ {
			event.read(&r)
		}
	}
	e.r = avrorpc.NewReader(params)
	return e, r.End()
}

// Len is how many are left.
func (e *Events) Len() int { return e.left }

// Next reads the next event into event, whose memory for headers it uses again.
func (e *Events) Next(event *Event) bool {
	if e.left == 0 {
		return false
	}
	if !e.single {
		if !e.began {
			e.block, e.began = e.r.Items(maxEvents), true
		}
		e.block.Next()
	}
	e.left--
	event.read(&e.r)
	return true
}
