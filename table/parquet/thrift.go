package parquet

import (
	"encoding/binary"
	"iter"
)

// The types of Thrift's compact protocol that Parquet metadata uses.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// thriftWriter appends structs in Thrift's compact protocol.
type thriftWriter struct {
	b     []byte
	last  int16   // field id of the last field of the current struct
	outer []int16 // the same of the enclosing structs
}

func (w *thriftWriter) field(id int16, kind byte) {
	if delta := id - w.last; delta > 0 && delta < 16 {
		w.b = append(w.b, byte(delta)<<4|kind)
	} else {
		w.b = binary.AppendVarint(append(w.b, kind), int64(id))
	}
	w.last = id
}

// begin starts a struct that is a field; element starts one that is an element of a list.
func (w *thriftWriter) begin(id int16) { w.field(id, thriftStruct); w.element() }

func (w *thriftWriter) element() { w.outer, w.last = append(w.outer, w.last), 0 }

// end ends the current struct.
func (w *thriftWriter) end() {
	w.b = append(w.b, 0)
	w.last = w.outer[len(w.outer)-1]
	w.outer = w.outer[:len(w.outer)-1]
}

func (w *thriftWriter) i32(id int16, n int)   { w.field(id, thriftI32); w.num(int64(n)) }
func (w *thriftWriter) i64(id int16, n int64) { w.field(id, thriftI64); w.num(n) }
func (w *thriftWriter) num(n int64)           { w.b = binary.AppendVarint(w.b, n) }

func (w *thriftWriter) boolean(id int16, v bool) {
	if v {
		w.field(id, thriftTrue)
	} else {
		w.field(id, thriftFalse)
	}
}

func (w *thriftWriter) binary(id int16, b []byte) { w.field(id, thriftBinary); w.bytes(b) }

func (w *thriftWriter) string(id int16, s string) { w.binary(id, []byte(s)) }

func (w *thriftWriter) bytes(b []byte) {
	w.b = append(binary.AppendUvarint(w.b, uint64(len(b))), b...)
}

// list starts a list of n elements, which the caller appends.
func (w *thriftWriter) list(id int16, kind byte, n int) {
	w.field(id, thriftList)
	if n < 15 {
		w.b = append(w.b, byte(n)<<4|kind)
	} else {
		w.b = binary.AppendUvarint(append(w.b, 0xf0|kind), uint64(n))
	}
}

// thriftReader reads Thrift's compact protocol within the bytes it was given. After the first error
// all values are zero, and lists and structs are empty.
type thriftReader struct {
	b   []byte
	pos int
	err error
}

func (r *thriftReader) fail(reason string) {
	if r.err == nil {
		r.err = badf("%s at byte %d of its metadata", reason, r.pos)
	}
	r.pos = len(r.b)
}

func (r *thriftReader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail("an end")
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

func (r *thriftReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b[r.pos:])
	if size <= 0 {
		r.fail("no number")
		return 0
	}
	r.pos += size
	return n
}

// int reads a number of any width.
func (r *thriftReader) int(kind byte) int64 {
	switch kind {
	case thriftByte:
		return int64(int8(r.byte()))
	case thriftI16, thriftI32, thriftI64:
		u := r.uvarint()
		return int64(u>>1) ^ -int64(u&1)
	}
	r.fail("not a number")
	return 0
}

// bytes reads a string. The result is part of the input.
func (r *thriftReader) bytes(kind byte) []byte {
	if kind != thriftBinary {
		r.fail("not a string")
		return nil
	}
	n := r.uvarint()
	if n > uint64(len(r.b)-r.pos) {
		r.fail("a string that is too long")
		return nil
	}
	r.pos += int(n)
	return r.b[r.pos-int(n) : r.pos : r.pos]
}

// list reads the header of a list and yields the kind of each element; the caller reads the
// element. Each element takes at least one byte, so a longer list than the remaining input is an
// error.
func (r *thriftReader) list(kind byte) iter.Seq[byte] {
	return func(yield func(byte) bool) {
		if kind != thriftList && kind != thriftSet {
			r.fail("not a list")
			return
		}
		head := r.byte()
		n := uint64(head >> 4)
		if n == 15 {
			n = r.uvarint()
		}
		if n > uint64(len(r.b)-r.pos) {
			r.fail("a list that is too long")
			return
		}
		for range n {
			if r.err != nil || !yield(head&15) {
				return
			}
		}
	}
}

// fields yields id and kind of each field of a struct; the caller must read or skip the value.
func (r *thriftReader) fields(kind byte) iter.Seq2[int16, byte] {
	return func(yield func(int16, byte) bool) {
		if kind != thriftStruct {
			r.fail("not a struct")
			return
		}
		for id := int16(0); r.err == nil; {
			head := r.byte()
			if head == 0 {
				return
			}
			if delta := head >> 4; delta != 0 {
				id += int16(delta)
			} else {
				id = int16(r.int(thriftI16))
			}
			if !yield(id, head&15) {
				return
			}
		}
	}
}

// maxThriftDepth limits the nesting of skipped values; Parquet metadata has six levels.
const maxThriftDepth = 32

// skip skips a value. A boolean field has no value bytes; a boolean in a list has one.
func (r *thriftReader) skip(kind byte) { r.skipWithin(kind, maxThriftDepth, false) }

func (r *thriftReader) skipWithin(kind byte, depth int, inList bool) {
	if depth == 0 {
		r.fail("metadata that is too deep")
		return
	}
	switch kind {
	case thriftTrue, thriftFalse:
		if inList {
			r.byte()
		}
	case thriftByte, thriftI16, thriftI32, thriftI64:
		r.int(kind)
	case thriftDouble:
		for range 8 {
			r.byte()
		}
	case thriftUUID:
		for range 16 {
			r.byte()
		}
	case thriftBinary:
		r.bytes(kind)
	case thriftList, thriftSet:
		for element := range r.list(kind) {
			r.skipWithin(element, depth-1, true)
		}
	case thriftMap:
		n := r.uvarint()
		if n == 0 {
			return
		}
		kinds := r.byte()
		for i := uint64(0); i < n && r.err == nil; i++ {
			r.skipWithin(kinds>>4, depth-1, true)
			r.skipWithin(kinds&15, depth-1, true)
		}
	case thriftStruct:
		for _, inner := range r.fields(kind) {
			r.skipWithin(inner, depth-1, false)
		}
	default:
		r.fail("an unknown type")
	}
}
