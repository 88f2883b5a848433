package flume

import (
	_ "embed"

	"sluice/ingest/avrorpc"
)

//go:embed source.avpr
var text string

// Protocol returns AvroSourceProtocol without the licence in Flume's own text, and therefore with
// another hash: the first handshake of a connection needs one more message.
func Protocol() *avrorpc.Protocol {
	p, err := avrorpc.NewProtocol(text)
	if err != nil {
		panic(err) // the embedded text is constant
	}
	return p
}

// The headers that describe the origin of an event.
const (
	HeaderHost       = "host"       // Flume's host interceptor
	HeaderTimestamp  = "timestamp"  // ms since 1970, its timestamp interceptor
	HeaderFile       = "file"       // TAILDIR's fileHeader
	HeaderByteOffset = "byteoffset" // TAILDIR's byteOffsetHeader
)

// Limits of one event or request.
const (
	maxHeaders     = 256
	maxHeaderBytes = 64 << 10
	maxEvents      = 1 << 20
)

// Header is a header of an event.
type Header struct{ Key, Value []byte }

// Event is a line with its headers; the body has no newline.
type Event struct {
	Headers []Header
	Body    []byte
}

// Header returns the value of a header, or nil.
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

// Events are the events of one request, which is checked as a whole before the first one is
// returned. They are parts of the request.
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

// Len returns how many events are left.
func (e *Events) Len() int { return e.left }

// Next reads the next event into event, and reuses its memory for headers.
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
