package columnar

import (
	"bytes"
	"hash/maphash"
	"unicode/utf8"

	"sluice/parse"
	"sluice/table/parquet"
)

// texts is a column of texts in memory: its different values, and each row's index into
// them, -1 for null.
type texts struct {
	dict  parquet.Dict
	codes []int32

	seed   maphash.Seed // so that no sender can choose values that collide
	seeded bool
	slots  []int32 // index + 1 of a value, by its hash; a power of two
	hashes []uint64
	traits []trait // of each value
}

// trait says what of a value need not be looked at again.
type trait uint8

const (
	plain trait = 1 << iota // Apache writes it as it is
	valid                   // UTF-8
)

func traitsOf(value []byte) trait {
	switch {
	case !parse.NeedsEscape(value):
		return plain | valid
	case utf8.Valid(value):
		return valid
	}
	return 0
}

func (t *texts) reset() {
	t.dict.Reset()
	clear(t.slots)
	t.codes, t.hashes, t.traits = t.codes[:0], t.hashes[:0], t.traits[:0]
}

// bytes is what the column takes.
func (t *texts) bytes() int {
	return len(t.dict.Data) + 4*(len(t.dict.Ends)+len(t.codes)+2*len(t.hashes)+len(t.slots)) + len(t.traits)
}

// memory is what the column's arrays take.
func (t *texts) memory() int {
	return cap(t.dict.Data) + 4*(cap(t.dict.Ends)+cap(t.codes)+2*cap(t.hashes)+cap(t.slots)) + cap(t.traits)
}

// code returns the index of a value, which is added if it is new.
func (t *texts) code(value []byte) int32 {
	if 2*len(t.dict.Ends) >= len(t.slots) {
		t.grow()
	}
	h := maphash.Bytes(t.seed, value)
	mask := len(t.slots) - 1
	for at := int(h) & mask; ; at = (at + 1) & mask {
		slot := t.slots[at]
		if slot == 0 {
			t.slots[at] = int32(len(t.dict.Ends) + 1)
			t.hashes = append(t.hashes, h)
			t.traits = append(t.traits, traitsOf(value))
			return int32(t.dict.Add(value))
		}
		if t.hashes[slot-1] == h && bytes.Equal(t.dict.Value(int(slot-1)), value) {
			return slot - 1
		}
	}
}

const minSlots = 64

// grow doubles the slots.
func (t *texts) grow() {
	if !t.seeded {
		t.seed, t.seeded = maphash.MakeSeed(), true
	}
	t.slots = make([]int32, max(minSlots, 2*len(t.slots)))
	mask := len(t.slots) - 1
	for i, h := range t.hashes {
		at := int(h) & mask
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = int32(i + 1)
	}
}

// fill makes the column null up to row n.
func (t *texts) fill(n int) {
	for len(t.codes) < n {
		t.codes = append(t.codes, -1)
	}
}

// ints is a column of numbers in memory; 0 for null.
type ints struct {
	values []int64
	valid  []uint64
	nulls  int
}

func (n *ints) reset() { n.values, n.valid, n.nulls = n.values[:0], n.valid[:0], 0 }

func (n *ints) add(v int64, ok bool) {
	i := len(n.values)
	if i&63 == 0 {
		n.valid = append(n.valid, 0)
	}
	if ok {
		n.valid[i>>6] |= 1 << (i & 63)
	} else {
		n.nulls++
		v = 0
	}
	n.values = append(n.values, v)
}

func (n *ints) fill(rows int) {
	for len(n.values) < rows {
		n.add(0, false)
	}
}

func (n *ints) ok(i int) bool { return n.valid[i>>6]>>(i&63)&1 == 1 }

func (n *ints) bytes() int  { return 8 * (len(n.values) + len(n.valid)) }
func (n *ints) memory() int { return 8 * (cap(n.values) + cap(n.valid)) }
