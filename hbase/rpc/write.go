package rpc

import (
	"encoding/binary"
	"net"
	"time"

	"sluice/hadoop/protobuf"
	"sluice/hbase/wire"
)

const (
	// gatherCalls bounds the calls that are written at once.
	gatherCalls = 32
	// writeBytes bounds the bytes written under one deadline: on a slow network a frame of 2 MB may
	// take longer than the timeout.
	writeBytes = 512 << 10
)

// writer assembles frames. Headers and messages of several calls are in one buffer; cell blocks are
// not copied.
type writer struct {
	conn    *Conn
	head    []byte
	scratch []byte
	bounds  []bound
	buffers [][]byte
	calls   []*call
	snappy  [][]byte
}

// bound is the end of a call's header and message in head, and the cells after them.
type bound struct {
	end   int
	cells [][]byte
}

// write sends queued calls, as many at once as there are, until the connection breaks.
func (c *Conn) write() error {
	w := &writer{conn: c}
	for {
		select {
		case <-c.broken:
			return errClosed
		case first := <-c.queue:
			w.gather(first)
		}
		err := w.flush()
		for _, call := range w.calls {
			close(call.written)
		}
		if err != nil {
			return err
		}
	}
}

// gather takes the first call and other queued ones.
func (w *writer) gather(first *call) {
	w.head, w.bounds, w.calls, w.snappy = w.head[:0], w.bounds[:0], w.calls[:0], w.snappy[:0]
	w.add(first)
	for len(w.calls) < gatherCalls {
		select {
		case next := <-w.conn.queue:
			w.add(next)
		default:
			return
		}
	}
}

func (w *writer) add(c *call) {
	if !c.state.CompareAndSwap(queued, writing) {
		return
	}
	w.calls = append(w.calls, c)
	cells := c.request.Cells
	if w.conn.options.Snappy && len(cells) > 0 {
		cells = [][]byte{wire.AppendSnappy(nil, cells)}
	}
	w.scratch = appendHeader(w.scratch[:0], c, blockBytes(cells))
	start := len(w.head)
	w.head = append(w.head, 0, 0, 0, 0)
	w.head = protobuf.AppendDelimited(w.head, w.scratch)
	w.head = protobuf.AppendDelimited(w.head, c.request.Param)
	binary.BigEndian.PutUint32(w.head[start:], uint32(len(w.head)-start-4+blockBytes(cells)))
	w.bounds = append(w.bounds, bound{len(w.head), cells})
}

// appendHeader appends a RequestHeader.
func appendHeader(dst []byte, c *call, blockBytes int) []byte {
	dst = protobuf.AppendUint(dst, 1, uint64(c.id))
	dst = protobuf.AppendBytes(dst, 3, c.request.Method)
	dst = protobuf.AppendBool(dst, 4, true)
	if blockBytes > 0 {
		var meta [12]byte
		dst = protobuf.AppendBytes(dst, 5, protobuf.AppendUint(meta[:0], 1, uint64(blockBytes)))
	}
	if ms := c.timeout.Milliseconds(); ms > 0 {
		dst = protobuf.AppendUint(dst, 7, uint64(ms))
	}
	return dst
}

func blockBytes(cells [][]byte) int {
	n := 0
	for _, buffer := range cells {
		n += len(buffer)
	}
	return n
}

func appendLength(dst []byte, n int) []byte { return binary.BigEndian.AppendUint32(dst, uint32(n)) }

// flush writes the gathered calls.
func (w *writer) flush() error {
	w.buffers = w.buffers[:0]
	start := 0
	for _, b := range w.bounds {
		w.buffers = append(w.buffers, w.head[start:b.end])
		w.buffers = append(w.buffers, b.cells...)
		start = b.end
	}
	buffers := w.buffers
	for len(buffers) > 0 {
		var now net.Buffers
		now, buffers = cut(buffers, writeBytes)
		if err := w.conn.conn.SetWriteDeadline(time.Now().Add(w.conn.options.Timeout)); err != nil {
			return err
		}
		if _, err := now.WriteTo(w.conn.conn); err != nil {
			return err
		}
		if len(buffers) > 0 || w.conn.waiting() <= len(w.calls) {
			w.conn.sign()
		}
	}
	clear(w.buffers) // drops references to the callers' bytes
	clear(w.bounds)
	return nil
}

// cut splits off buffers of at most size bytes; it shortens the first of the rest in place.
func cut(buffers [][]byte, size int) (front, rest [][]byte) {
	for i, buffer := range buffers {
		if len(buffer) > size {
			front = append(append(front, buffers[:i]...), buffer[:size])
			buffers[i] = buffer[size:]
			return front, buffers[i:]
		}
		size -= len(buffer)
	}
	return append(front, buffers...), nil // a copy: writing empties it
}
