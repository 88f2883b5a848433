package avrorpc

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by the errors of [Reader].
var ErrMalformed = errors.New("malformed Avro data")

// Reader decodes Avro's binary encoding from untrusted bytes. It allocates nothing. After its first
// error every method returns zeros, and Err returns the error. The caller's code is the schema, so
// no input decides the depth of recursion; the caller limits the number of items and bytes at each
// call.
type Reader struct {
	b    []byte
	size int
	err  error
}

// NewReader returns a Reader of b. The values that it returns are parts of b.
func NewReader(b []byte) Reader { return Reader{b: b, size: len(b)} }

// Err returns the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Rest returns what is not read yet.
func (r *Reader) Rest() []byte { return r.b }

// End returns Err, or an error if bytes are left.
func (r *Reader) End() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes after the end")
	}
	return r.err
}

// Fail records an error that the caller found in the values.
func (r *Reader) Fail(what string) { r.fail(what) }

func (r *Reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d of %d", ErrMalformed, what, r.size-len(r.b), r.size)
	}
	r.b = nil
}

// Long reads an int or a long: zigzag, seven bits a byte, the low ones first.
func (r *Reader) Long() int64 {
	u, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("a number that does not end or is too long")
		return 0
	}
	r.b = r.b[n:]
	return int64(u>>1) ^ -int64(u&1)
}

// Int reads an int; one that does not fit 32 bits is an error.
func (r *Reader) Int() int32 {
	n := r.Long()
	if int64(int32(n)) != n {
		r.fail("an int of more than 32 bits")
		return 0
	}
	return int32(n)
}

// Enum reads an enum of n symbols, or the index of a union of n branches.
func (r *Reader) Enum(n int) int {
	i := r.Long()
	if i < 0 || i >= int64(n) {
		r.fail("an index of no symbol")
		return 0
	}
	return int(i)
}

// Bool reads a boolean: 0 or 1, nothing else.
func (r *Reader) Bool() bool {
	b := r.Fixed(1)
	if len(b) == 0 {
		return false
	}
	if b[0] > 1 {
		r.fail("a boolean that is neither 0 nor 1")
	}
	return b[0] == 1
}

// Fixed reads n bytes; nil after an error.
func (r *Reader) Fixed(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.fail("the data end within a value")
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// Bytes reads bytes or a string of at most limit bytes. The result is part of the Reader's bytes.
func (r *Reader) Bytes(limit int) []byte {
	n := r.Long()
	if n < 0 || n > int64(limit) {
		r.fail("a length that is not allowed")
		return nil
	}
	return r.Fixed(int(n))
}

// String reads a string of at most limit bytes and copies it.
func (r *Reader) String(limit int) string { return string(r.Bytes(limit)) }

// Items counts the items of an array or map while they are read:
//
//	for items := r.Items(limit); items.Next(); { … }
type Items struct {
	r           *Reader
	left, limit int64
	ended       bool
}

// Items begins an array or a map of at most limit items, over all its blocks.
func (r *Reader) Items(limit int) Items { return Items{r: r, limit: int64(limit)} }

// Next reports whether another item follows. An empty item costs the sender no bytes, so the limit
// ends the loop and not the length of the data.
func (i *Items) Next() bool {
	if i.left == 0 && !i.ended {
		i.block()
	}
	if i.ended || i.r.err != nil {
		return false
	}
	i.left--
	return true
}

// block reads a block's count. A negative one is followed by the block's size, which is only needed
// for skipping.
func (i *Items) block() {
	n := i.r.Long()
	if n < 0 {
		n = -n // the smallest number stays negative, and is rejected below
		if i.r.Long() < 0 {
			i.r.fail("a block of negative size")
		}
	}
	if n < 0 || n > i.limit {
		i.r.fail("more items than are allowed")
	}
	i.limit -= n
	i.left, i.ended = n, n == 0 || i.r.err != nil
}

// AppendLong appends an int or a long.
func AppendLong(b []byte, n int64) []byte {
	return binary.AppendUvarint(b, uint64(n)<<1^uint64(n>>63))
}

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendBytes appends bytes or a string with its length.
func AppendBytes[T string | []byte](b []byte, v T) []byte {
	return append(AppendLong(b, int64(len(v))), v...)
}

// AppendCount begins an array or map of n items. AppendEnd must follow the items.
func AppendCount(b []byte, n int) []byte { return AppendLong(b, int64(n)) }

// AppendEnd ends an array or map of n items; an empty one needs no end.
func AppendEnd(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	return append(b, 0)
}
