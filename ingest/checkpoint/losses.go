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
}

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

// AddLoss keeps a loss until it is acknowledged. It is durable after the next Save.
func (c *File) AddLoss(l Loss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.PathBytes = schema.PathBytes(l.Path)
	c.doc.Losses = append(c.doc.Losses, l)
	if n := len(c.doc.Losses); n > maxLosses {
		c.doc.Losses[1].Bytes += c.doc.Losses[0].Bytes
		c.doc.Losses[1].Unknown = c.doc.Losses[1].Unknown || c.doc.Losses[0].Unknown
		c.doc.Losses = slices.Delete(c.doc.Losses, 0, 1)
	}
}

// Losses returns the losses that are not acknowledged, the oldest first. The slice belongs to the
// caller.
func (c *File) Losses() []Loss {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.doc.Losses)
}

// AcknowledgeLosses removes all losses and returns them. The removal is durable after the next
// Save.
func (c *File) AcknowledgeLosses() (acknowledged []Loss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	acknowledged, c.doc.Losses = c.doc.Losses, nil
	return acknowledged
}
