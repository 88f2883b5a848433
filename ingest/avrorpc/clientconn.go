package avrorpc

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

// copied is the greatest length of a body that is copied to join writes.
const copied = 4 << 10

// write writes the queued calls, several in one write.
func (c *Client) write() error {
	var batch []*Pending
	var small []byte
	var buffers, rest net.Buffers
	for {
		select {
		case <-c.broken:
			return nil
		case <-c.queued:
		}
		batch = c.takeQueue(batch[:0])
		small, buffers = gather(batch, small[:0], buffers[:0])
		err := c.conn.SetWriteDeadline(time.Now().Add(c.options.Probe)) // fails if the connection was closed meanwhile
		if err == nil {
			rest = buffers
			_, err = rest.WriteTo(c.conn)
		}
		clear(buffers)
		c.wrote(batch)
		if err != nil {
			return fmt.Errorf("write calls: %w", err)
		}
	}
}

func (c *Client) takeQueue(batch []*Pending) []*Pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.queue {
		if p.state == callQueued {
			p.state = callWriting
			batch = append(batch, p)
		}
	}
	clear(c.queue)
	c.queue = c.queue[:0]
	return batch
}

// gather arranges calls for one write: large bodies are not copied.
func gather(batch []*Pending, small []byte, buffers net.Buffers) ([]byte, net.Buffers) {
	need := 0
	for _, p := range batch {
		need += frameHead + 1 + 10 + len(p.message) + len(p.head)
		if len(p.body) <= copied {
			need += len(p.body)
		}
	}
	if cap(small) < need {
		small = make([]byte, 0, need) // must not be reallocated: buffers point into it
	}
	from := 0
	for _, p := range batch {
		head := len(small)
		small = append(small, make([]byte, frameHead)...)
		small = AppendBytes(append(small, 0), p.message)
		small = append(small, p.head...)
		n := len(small) - head - frameHead + len(p.body)
		binary.BigEndian.PutUint32(small[head:], uint32(p.serial))
		binary.BigEndian.PutUint32(small[head+4:], 1)
		binary.BigEndian.PutUint32(small[head+8:], uint32(n))
		if len(p.body) <= copied {
			small = append(small, p.body...)
			continue
		}
		buffers = append(buffers, small[from:], p.body)
		from = len(small)
	}
	if from < len(small) {
		buffers = append(buffers, small[from:])
	}
	return small, buffers
}

// read assigns replies to their calls.
func (c *Client) read() error {
	for {
		f, err := c.in.next()
		if err != nil {
			return err
		}
		c.signs.Add(1)
		c.mu.Lock()
		p := c.pending[f.serial]
		if p != nil && p.state == callQueued { // the server cannot know this serial yet
			p = nil
		} else {
			delete(c.pending, f.serial)
		}
		c.mu.Unlock()
		if p != nil {
			reply, err := readReply(f.b)
			c.end(p, reply, err)
		} else if f.serial != probeSerial {
			return fmt.Errorf("%w: a reply to call %d, which waits for none", ErrMalformed, f.serial)
		}
		c.in.frames.put(f)
	}
}

func readReply(b []byte) ([]byte, error) {
	r := NewReader(b)
	skipMeta(&r)
	failed := r.Bool()
	if failed && r.Enum(2) == 0 {
		message := r.String(maxMetaBytes)
		if r.Err() == nil {
			return nil, &RemoteError{Message: message}
		}
	}
	if r.Err() == nil && failed {
		return nil, &RemoteError{Message: "an error of its protocol"}
	}
	return r.Rest(), r.Err()
}

// probeSerial is the serial number of pings from watch. Calls have numbers from 1 on.
const probeSerial = 0

// watch sends a ping if nothing was received for a while.
func (c *Client) watch() error {
	tick := time.NewTicker(c.options.Probe)
	defer tick.Stop()
	seen, asked := int64(-1), false
	for {
		select {
		case <-c.broken:
			return nil
		case <-tick.C:
		}
		signs := c.signs.Load()
		switch {
		case signs != seen:
			seen, asked = signs, false
		case asked:
			return fmt.Errorf("%w for %s", errSilent, 2*c.options.Probe)
		default:
			asked = true
			c.probe()
		}
	}
}

// probe queues a ping without a waiting caller. It needs no limit, because there is only one at a
// time.
func (c *Client) probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, &Pending{serial: probeSerial})
	c.wake()
}
