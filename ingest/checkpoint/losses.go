package checkpoint

import (
	"fmt"
	"slices"

	"sluice/schema"
)

// Loss records lines that were deleted before they were read. It is kept until an operator
// acknowledges it.
type Loss struct {
	Path      string          `json:"path"`
	PathBytes []byte          `json:"path_bytes,omitempty"` // Path if that is not UTF-8
	Stream    schema.StreamID `json:"stream"`
	// From is the position in the stream at which they began, and Bytes the number of bytes that
	// are known to be lost.
	From  int64 `json:"from"`
	Bytes int64 `json:"bytes"`
	// Unknown: more may be lost, because the log was not followed when it was deleted.
	Unknown bool  `json:"unknown,omitempty"`
	AtUnix  int64 `json:"at_unix"`
	// Number is greater than those of all losses before, also of those that were acknowledged.
	Number int64 `json:"number,omitempty"`
	// Joined is the number of older losses whose bytes are counted in this one.
	Joined int64 `json:"joined,omitempty"`
}

// LossCount sums up the losses that are not acknowledged. First is the number of the oldest one;
// Last is the greatest number that any loss ever had. 0: none.
type LossCount struct{ Files, Bytes, First, Last int64 }

// String describes the loss for operators.
func (l Loss) String() string {
	path := schema.PathText(l.Path)
	if l.Unknown {
		return fmt.Sprintf("%s was replaced or deleted while it was not followed, and no copy of it was found: what it held from byte %d on was not read, at least %d bytes", path, l.From, l.Bytes)
	}
	return fmt.Sprintf("%s: %d bytes from byte %d on were deleted before they were read", path, l.Bytes, l.From)
}

// maxLosses limits the losses that are kept separately; beyond it the oldest are joined into one.
const maxLosses = 1000

// AddLoss numbers a loss and keeps it until it is acknowledged. It is durable after the next Save.
func (c *File) AddLoss(l Loss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.PathBytes = schema.PathBytes(l.Path)
	c.doc.number(&l)
	c.doc.Losses = append(c.doc.Losses, l)
	if n := len(c.doc.Losses); n > maxLosses {
		oldest, next := &c.doc.Losses[0], &c.doc.Losses[1]
		next.Bytes += oldest.Bytes
		next.Joined += 1 + oldest.Joined
		next.Unknown = next.Unknown || oldest.Unknown
		c.doc.Losses = slices.Delete(c.doc.Losses, 0, 1)
	}
}

// number gives a loss the next number, which is at least its time in microseconds: if this
// checkpoint is lost or replaced by an older copy, its numbers are not used again for other losses.
func (d *document) number(l *Loss) {
	d.LastLoss = max(d.LastLoss+1, l.AtUnix*1_000_000)
	l.Number = d.LastLoss
}

// numberAll numbers the losses of a checkpoint of an older version. Their second may be that of a
// loss that had a number and was acknowledged before an older version wrote the checkpoint, so they
// are numbered as of the next one.
func (d *document) numberAll() {
	for i := range d.Losses {
		if l := &d.Losses[i]; l.Number == 0 {
			d.LastLoss = max(d.LastLoss+1, (l.AtUnix+1)*1_000_000)
			l.Number = d.LastLoss
		}
	}
}

// CountLosses sums up the losses that are not acknowledged.
func (c *File) CountLosses() LossCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := LossCount{Last: c.doc.LastLoss}
	for i := range c.doc.Losses {
		l := &c.doc.Losses[i]
		n.Files += 1 + l.Joined
		n.Bytes += l.Bytes
	}
	if len(c.doc.Losses) > 0 {
		n.First = c.doc.Losses[0].Number
	}
	return n
}

// Losses returns the losses that are not acknowledged, the oldest first. The slice belongs to the
// caller.
func (c *File) Losses() []Loss {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.doc.Losses)
}

// AcknowledgeLosses removes the losses with numbers up to last, and returns them. The removal is
// durable after the next Save.
func (c *File) AcknowledgeLosses(last int64) (acknowledged []Loss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.doc.Losses) && c.doc.Losses[n].Number <= last {
		n++
	}
	acknowledged = slices.Clone(c.doc.Losses[:n])
	c.doc.Losses = slices.Delete(c.doc.Losses, 0, n)
	return acknowledged
}
