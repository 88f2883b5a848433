package checkpoint

import (
	"fmt"
	"slices"
	"sync"

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
	Unknown bool `json:"unknown,omitempty"`
	// Finished: the log was not written any more when it was last seen, so Bytes are all.
	Finished bool  `json:"finished,omitempty"`
	AtUnix   int64 `json:"at_unix"`
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
	if l.Unknown && l.Bytes == 0 {
		return fmt.Sprintf("%s was replaced or deleted while it was not followed, and no copy of it was found: what was written to it after byte %d, if anything, was not read", path, l.From)
	}
	if l.Unknown {
		return fmt.Sprintf("%s was replaced or deleted while it was not followed, and no copy of it was found: what it held from byte %d on was not read, at least %d bytes", path, l.From, l.Bytes)
	}
	return fmt.Sprintf("%s: %d bytes from byte %d on were deleted before they were read", path, l.Bytes, l.From)
}

// Losses are the losses that are not acknowledged.
type Losses struct {
	mu   *sync.Mutex // File.mu
	list []Loss      // the oldest first
	last int64       // the greatest number that was used
}

// maxLosses limits the losses that are kept separately; beyond it the oldest are joined into one.
const maxLosses = 1000

// Add numbers a loss and keeps it until it is acknowledged. It is durable after the next Save.
func (l *Losses) Add(loss Loss) { l.AddWith(loss, func() {}) }

// AddWith is Add with a change of the stream that the loss is of: no Save has one without the other.
// change is called once, with the lock of Update held.
func (l *Losses) AddWith(loss Loss, change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	loss.PathBytes = schema.PathBytes(loss.Path)
	l.number(&loss)
	l.list = append(l.list, loss)
	if n := len(l.list); n > maxLosses {
		oldest, next := &l.list[0], &l.list[1]
		next.Bytes += oldest.Bytes
		next.Joined += 1 + oldest.Joined
		next.Unknown = next.Unknown || oldest.Unknown
		l.list = slices.Delete(l.list, 0, 1)
	}
}

// number gives a loss the next number, which is at least its time in microseconds: if this
// checkpoint is lost or replaced by an older copy, its numbers are not used again for other losses.
func (l *Losses) number(loss *Loss) {
	l.last = max(l.last+1, loss.AtUnix*1_000_000)
	loss.Number = l.last
}

// set replaces the losses by those of a file. Those of an older version have no number, and get
// one. Their second may be that of a loss that had a number and was acknowledged before an older
// version wrote the checkpoint, so they are numbered as of the next one.
func (l *Losses) set(list []Loss, last int64) {
	l.list, l.last = list, last
	for i := range l.list {
		if loss := &l.list[i]; loss.Number == 0 {
			l.last = max(l.last+1, (loss.AtUnix+1)*1_000_000)
			loss.Number = l.last
		}
	}
}

// Count sums up the losses that are not acknowledged.
func (l *Losses) Count() LossCount {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := LossCount{Last: l.last}
	for i := range l.list {
		n.Files += 1 + l.list[i].Joined
		n.Bytes += l.list[i].Bytes
	}
	if len(l.list) > 0 {
		n.First = l.list[0].Number
	}
	return n
}

// All returns the losses that are not acknowledged, the oldest first. The slice belongs to the
// caller.
func (l *Losses) All() []Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// Correct removes from a stream's losses the bytes before received, because a collector has them. A
// loss of which nothing remains is removed, unless more may be lost. It returns the number of bytes
// and of losses that were removed. change is called with the number of bytes and with the lock of
// Update held, so that no Save has the correction without the change. The correction is durable
// after the next Save.
func (l *Losses) Correct(id schema.StreamID, received int64, change func(bytes int64)) (bytes, losses int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { change(bytes) }()
	l.list = slices.DeleteFunc(l.list, func(loss Loss) bool {
		all := loss.Stream == id && loss.Joined == 0 && loss.From < received && loss.From+loss.Bytes <= received && (!loss.Unknown || loss.Finished)
		if all {
			bytes, losses = bytes+loss.Bytes, losses+1
		}
		return all
	})
	for i := range l.list {
		if loss := &l.list[i]; loss.Stream == id && loss.Joined == 0 && loss.From < received {
			n := min(loss.Bytes, received-loss.From)
			loss.From, loss.Bytes = received, loss.Bytes-n
			bytes += n
		}
	}
	return bytes, losses
}

// Acknowledge removes the losses with numbers up to last, and returns them. The removal is durable
// after the next Save.
func (l *Losses) Acknowledge(last int64) (acknowledged []Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.list) && l.list[n].Number <= last {
		n++
	}
	acknowledged = slices.Clone(l.list[:n])
	l.list = slices.Delete(l.list, 0, n)
	return acknowledged
}
