package columnar

import (
	"bytes"
	"unicode/utf8"

	"sluice/parse"
	"sluice/table/parquet"
)

// texts is a column of texts in memory: its different values, and each row's index into them, -1
// for null.
type texts struct {
	dict  parquet.Dict
	codes []int32

	keys   hashKeys
	slots  []uint64 // half of a value's hash, and its index + 1; a power of two
	traits []trait  // of each value
	last   int32    // index of the previous value, which the next one often equals; -1
}

// trait is a cached property of a value.
type trait uint8

const (
	plain trait = 1 << iota // Apache writes it without escapes
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
	t.codes, t.traits, t.last = t.codes[:0], t.traits[:0], -1
}

// memory is the size of the column's arrays.
func (t *texts) memory() int {
	return cap(t.dict.Data) + 4*(cap(t.dict.Ends)+cap(t.codes)) + 8*cap(t.slots) + cap(t.traits)
}

// code returns the index of a value, which is added if it is new.
func (t *texts) code(value []byte) int32 {
	if t.last >= 0 && len(t.dict.Ends) > 0 && bytes.Equal(t.dict.Value(int(t.last)), value) {
		return t.last
	}
	if 2*len(t.dict.Ends) >= len(t.slots) {
		t.grow()
	}
	h := t.keys.hash(value) >> 32
	mask := len(t.slots) - 1
	for at := int(h) & mask; ; at = (at + 1) & mask {
		slot := t.slots[at]
		if slot == 0 {
			t.last = t.add(value)
			t.slots[at] = h<<32 | uint64(t.last+1)
			return t.last
		}
		if slot>>32 == h && bytes.Equal(t.dict.Value(int(uint32(slot)-1)), value) {
			t.last = int32(uint32(slot) - 1)
			return t.last
		}
	}
}

// add appends a value without checking whether it exists.
func (t *texts) add(value []byte) int32 {
	t.traits = append(t.traits, traitsOf(value))
	return int32(t.dict.Add(value))
}

const minSlots = 64

// grow doubles the slots.
func (t *texts) grow() {
	if t.keys == (hashKeys{}) {
		t.keys = newHashKeys()
	}
	old := t.slots
	t.slots = make([]uint64, max(minSlots, 2*len(old)))
	mask := len(t.slots) - 1
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		at := int(slot>>32) & mask
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = slot
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

func (n *ints) memory() int { return 8 * (cap(n.values) + cap(n.valid)) }
