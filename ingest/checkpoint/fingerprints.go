package checkpoint

import (
	"encoding/hex"
	"io"
	"sync"
)

// Fingerprints records and compares the fingerprints of streams.
type Fingerprints struct {
	mu *sync.Mutex // File.mu, which guards the Fingerprint of each stream
}

// Remember records the bytes before position for Holds: those of a batch, or at least the last
// tailBytes. They are copied. Their hash is only calculated when it is needed, because Remember is
// called thousands of times a second.
func (f *Fingerprints) Remember(t *Stream, before []byte, position int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.extend(before, position)
}

// RememberLast is Remember if position is after all that was recorded before.
func (f *Fingerprints) RememberLast(t *Stream, before []byte, position int64) {
	f.mu.Lock()
	behind := position > t.TailAt
	f.mu.Unlock()
	if behind { // a concurrent call of another sender in between is harmless
		f.Remember(t, before, position)
	}
}

// Tail returns what Remember recorded last: the hash of the length bytes before at. length is 0 if
// nothing was recorded.
func (f *Fingerprints) Tail(t *Stream) (at int64, hash [12]byte, length int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.settle()
	sum, err := hex.DecodeString(t.Tail)
	if err != nil || len(sum) != len(hash) || t.TailBytes == 0 {
		return 0, hash, 0
	}
	return t.TailAt, [12]byte(sum), t.TailBytes
}

// Contradicts reports whether data, which begin at start, differ from the recorded tail. It returns
// false if data do not include all of the tail.
func (f *Fingerprints) Contradicts(t *Stream, data []byte, start int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return t.contradicts(data, start)
}

// HasTail reports whether bytes were recorded that Holds can compare.
func (f *Fingerprints) HasTail(t *Stream) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return t.recorded()
}

// Holds reports whether the content has the stream's fingerprint, except for the first line, which
// Fingerprint.Begins compares.
func (f *Fingerprints) Holds(t *Stream, open func() (io.ReadCloser, error)) (bool, error) {
	known := f.snapshot(t)
	return known.matches(open)
}

// HoldsEnd is Holds for a file that is known to be the stream's by its inode and birth time: only
// the last bytes are compared, because the file may have been edited in place.
func (f *Fingerprints) HoldsEnd(t *Stream, open func() (io.ReadCloser, error)) (bool, error) {
	known := f.snapshot(t)
	known.Marks = nil
	return known.matches(open)
}

func (f *Fingerprints) snapshot(t *Stream) Fingerprint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return t.Fingerprint.snapshot()
}
