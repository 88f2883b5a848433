package audit

import (
	"encoding/binary"
	"hash/maphash"

	"sluice/schema"
)

// digest is a hash of 128 bits of a row, or of a range's bytes. The seeds are random for each
// process, so collisions cannot be constructed; by chance they have a probability of 2^-128.
type digest struct{ lo, hi uint64 }

// seeds are shared by all hashers of an audit.
type seeds [2]maphash.Seed

func newSeeds() seeds { return seeds{maphash.MakeSeed(), maphash.MakeSeed()} }

func (s *seeds) bytes(b []byte) digest {
	return digest{maphash.Bytes(s[0], b), maphash.Bytes(s[1], b)}
}

// hasher hashes rows. It is not safe for concurrent use.
type hasher struct {
	seeds
	buf []byte
}

// row hashes key and cells, each with its length, so that different splits of the same bytes have
// different digests.
func (h *hasher) row(key []byte, cells []schema.Cell) digest {
	b := append(binary.AppendUvarint(h.buf[:0], uint64(len(key))), key...)
	for i := range cells {
		b = append(binary.AppendUvarint(b, uint64(len(cells[i].Qualifier))), cells[i].Qualifier...)
		b = append(binary.AppendUvarint(b, uint64(len(cells[i].Value))), cells[i].Value...)
	}
	h.buf = b
	return h.bytes(b)
}

// chunkBits is log2 of the size of a chunk, 256 KiB. Smaller chunks take more memory, larger ones
// more time to find a line.
const chunkBits = 18

// chunk is a part of a stream whose rows are summed up.
type chunk struct {
	stream schema.StreamID
	n      int64
}

func chunkOf(id schema.StreamID, offset int64) chunk { return chunk{id, offset >> chunkBits} }

// sum is a sum of digests, independent of their order.
type sum struct {
	digest
	rows int64
}

func (s *sum) add(d digest, rows int64) {
	s.lo += d.lo
	s.hi += d.hi
	s.rows += rows
}

// tally is the sum of each chunk.
type tally map[chunk]sum

func (t tally) add(c chunk, d digest, rows int64) {
	s := t[c]
	s.add(d, rows)
	t[c] = s
}

// merge adds the sums of other.
func (t tally) merge(other tally) {
	for c, s := range other {
		t.add(c, s.digest, s.rows)
	}
}
