package avrorpc

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"sync"
	"time"
)

// errLimit is wrapped by errors about a peer that exceeds a limit.
var errLimit = errors.New("beyond the limit")

const (
	ownBytes   = 4 << 10 // of each frame, not counted in the budget
	readBuffer = 16 << 10
)

// frame is a message in memory: its buffers joined. It is returned to the pools when its call was
// begun.
type frame struct {
	serial int32
	b      []byte
	claim  claim // of the budget
}

// frames has pools of frames by size, a power of two.
type frames struct {
	pools [32]sync.Pool
	budget
}

func classOf(n int) int { return bits.Len(uint(max(n, ownBytes) - 1)) }

func (p *frames) get(n int) *frame {
	class := classOf(n)
	if f, ok := p.pools[class].Get().(*frame); ok {
		f.b = f.b[:0]
		return f
	}
	return &frame{b: make([]byte, 0, 1<<class)}
}

// put returns a frame that is not used any more.
func (p *frames) put(f *frame) {
	if f.claim.bytes > 0 || f.claim.outside != counted {
		p.give(f.claim)
	}
	f.claim = claim{}
	p.pools[classOf(cap(f.b))].Put(f)
}

// frameReader reads the frames of one connection.
type frameReader struct {
	conn   net.Conn
	in     *bufio.Reader
	frames *frames
	holder *holder // of the peer; nil: the budget has one reader
	limits Limits
	// ended is done when the deadline must not be extended any more.
	ended context.Context
}

// next reads a frame. Memory is allocated for bytes that have arrived, doubled each time, whatever
// length is announced. It returns io.EOF if the peer closed the connection between two frames.
func (r *frameReader) next() (*frame, error) {
	if err := r.deadline(r.limits.Idle); err != nil {
		return nil, err
	}
	if _, err := r.in.Peek(1); err != nil {
		return nil, err
	}
	if err := r.deadline(r.limits.Frame); err != nil {
		return nil, err
	}
	f := r.frames.get(ownBytes)
	f, err := r.buffers(f, time.Now())
	if err != nil {
		r.frames.put(f)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read a frame: %w", err)
	}
	return f, nil
}

func (r *frameReader) deadline(d time.Duration) error {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	if err := r.conn.SetReadDeadline(at); err != nil {
		return err
	}
	return r.ended.Err() // otherwise the deadline that ends reading would be overwritten
}

func (r *frameReader) buffers(f *frame, began time.Time) (*frame, error) {
	serial, err := r.int32()
	if err != nil {
		return f, err
	}
	f.serial = serial
	count, err := r.int32()
	if err != nil {
		return f, err
	}
	if count < 0 || int(count) > r.limits.Buffers {
		return f, fmt.Errorf("%w: a frame of %d buffers", errLimit, count)
	}
	for range count {
		n, err := r.int32()
		if err != nil {
			return f, err
		}
		if n < 0 || int(n) > r.limits.FrameBytes-len(f.b) {
			return f, fmt.Errorf("%w: a buffer of %d bytes after %d", errLimit, n, len(f.b))
		}
		for left := int(n); left > 0; {
			if len(f.b) == cap(f.b) {
				if f, began, err = r.grow(f, began); err != nil {
					return f, err
				}
			}
			part := f.b[len(f.b):min(cap(f.b), len(f.b)+left)]
			if _, err := io.ReadFull(r.in, part); err != nil {
				return f, err
			}
			f.b = f.b[:len(f.b)+len(part)]
			left -= len(part)
		}
	}
	return f, nil
}

func (r *frameReader) int32() (int32, error) {
	b, err := r.in.Peek(4)
	if err != nil {
		return 0, err
	}
	n := int32(binary.BigEndian.Uint32(b))
	_, err = r.in.Discard(4)
	return n, err
}

// grow moves what has arrived into a frame of twice the size. The time of waiting for the budget
// does not count against the peer's deadline.
func (r *frameReader) grow(f *frame, began time.Time) (*frame, time.Time, error) {
	more := int64(cap(f.b))
	has := f.claim
	if has.outside == counted {
		waited := time.Now()
		got, err := r.frames.take(r.ended, r.holder, more)
		if err != nil {
			return f, began, err
		}
		if has.of, has.outside = r.holder, got; got == counted {
			has.bytes += more
		}
		f.claim = has
		began = began.Add(time.Since(waited))
		if err := r.deadline(max(r.limits.Frame-time.Since(began), 1)); err != nil {
			return f, began, err // the claim is returned with the frame
		}
	}
	g := r.frames.get(2 * cap(f.b))
	g.serial, g.b, g.claim = f.serial, append(g.b, f.b...), has
	f.claim = claim{}
	r.frames.put(f)
	return g, began, nil
}

// appendFrame appends a frame's header for one buffer of n bytes.
func appendFrame(b []byte, serial int32, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(serial))
	b = binary.BigEndian.AppendUint32(b, 1)
	return binary.BigEndian.AppendUint32(b, uint32(n))
}
