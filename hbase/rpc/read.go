package rpc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"sluice/hadoop/protobuf"
	"sluice/hbase/wire"
)

const (
	// maxFrameBytes bounds a response. Calls request at most some MB at a time; a single row can be
	// larger, and a server rejects more than this, too.
	maxFrameBytes = 256 << 20
	// growBytes bounds the memory of a frame beyond the bytes received.
	growBytes = 4 << 20
	// keepFrameBytes is the largest frame whose memory is reused.
	keepFrameBytes = 8 << 20
)

// frame is the memory of a response, which the connection uses again.
type frame struct {
	bytes []byte
	pool  *sync.Pool // of *frame
}

func (f *frame) release() { f.pool.Put(f) }

// noCall is the id (-1) of an exception of the connection.
const noCall = 1<<32 - 1

// signs records that bytes arrive, however slowly.
type signs struct{ c *Conn }

func (s signs) Read(b []byte) (int, error) {
	n, err := s.c.conn.Read(b)
	if n > 0 {
		s.c.heard.Store(true)
		s.c.sign()
		s.c.probing.Store(false)
	}
	return n, err
}

// read dispatches responses until the connection breaks.
func (c *Conn) read() error {
	r := bufio.NewReaderSize(signs{c}, 64<<10)
	for {
		f, err := readFrame(r, &c.frames)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := c.dispatch(f); err != nil {
			return err
		}
	}
}

// readFrame reads a length (u32) and that many bytes into a frame of the pool, or a new one.
func readFrame(r io.Reader, pool *sync.Pool) (*frame, error) {
	f, ok := pool.Get().(*frame)
	if !ok {
		f = &frame{pool: pool}
	}
	if cap(f.bytes) > keepFrameBytes {
		f.bytes = nil
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(length[:]))
	if n > maxFrameBytes {
		return nil, fmt.Errorf("%w: an answer of %d bytes", wire.ErrMalformed, n)
	}
	f.bytes = f.bytes[:0]
	for len(f.bytes) < n {
		have := len(f.bytes)
		if cap(f.bytes) == have || cap(f.bytes) < n && cap(f.bytes)-have < growBytes {
			grown := make([]byte, have, min(n, 2*have+growBytes))
			copy(grown, f.bytes)
			f.bytes = grown
		}
		f.bytes = f.bytes[:min(n, cap(f.bytes))]
		if _, err := io.ReadFull(r, f.bytes[have:]); err != nil {
			return nil, errors.Join(err, io.ErrUnexpectedEOF)
		}
	}
	return f, nil
}

// dispatch passes a response to its call. The error is one of the connection.
func (c *Conn) dispatch(f *frame) error {
	header, rest, err := protobuf.CutDelimited(f.bytes)
	if err != nil {
		return err
	}
	h, err := parseHeader(header)
	if err != nil {
		return err
	}
	if h.id == noCall && h.exception != nil {
		return h.exception
	}
	call := c.take(h.id)
	if call == nil { // the caller gave up
		f.release()
		return nil
	}
	if h.exception != nil {
		call.end(nil, h.exception)
		f.release()
		return nil
	}
	response, err := c.parseBody(rest, h.blockBytes)
	if err != nil {
		call.end(nil, err)
		return err
	}
	response.frame = f
	call.end(response, nil)
	return nil
}

func (c *Conn) parseBody(rest []byte, blockBytes uint64) (*Response, error) {
	var response Response
	var err error
	response.Message, rest, err = protobuf.CutDelimited(rest)
	if err != nil {
		return nil, err
	}
	if blockBytes > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: a cell block of %d bytes in a frame that has %d left", wire.ErrMalformed, blockBytes, len(rest))
	}
	response.Cells = rest[:blockBytes]
	if c.options.Snappy && blockBytes > 0 {
		response.Cells, err = wire.ReadSnappy(response.Cells, maxFrameBytes)
	}
	return &response, err
}

// responseHeader is the part of a ResponseHeader that is used.
type responseHeader struct {
	id         uint32
	exception  *RemoteError
	blockBytes uint64
}

func parseHeader(b []byte) (h responseHeader, err error) {
	f := protobuf.Read(b)
	for f.Next() {
		switch f.Number {
		case 1:
			h.id = uint32(f.Uint)
		case 2:
			if h.exception, err = parseException(f.Bytes); err != nil {
				return h, err
			}
		case 3:
			meta := protobuf.Read(f.Bytes)
			for meta.Next() {
				if meta.Number == 1 {
					h.blockBytes = meta.Uint
				}
			}
			if meta.Err != nil {
				return h, meta.Err
			}
		}
	}
	return h, f.Err
}
