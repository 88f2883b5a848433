// Package protobuf encodes and decodes protobuf messages field by field, without generated code,
// which would allocate for each row fields that are not used. Decoding is bounded by the length
// of its input.
package protobuf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is returned if bytes are not a valid message, or not the expected one.
var ErrMalformed = errors.New("malformed")

// Wire types of protobuf fields; groups are in no message of HBase or Hadoop.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeBytes   = 2
	typeFixed32 = 5
)

// AppendUint appends a varint field: the types uint32, uint64, int32, int64 and enums.
func AppendUint(dst []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(field)<<3|typeVarint), v)
}

// AppendBool appends a bool field.
func AppendBool(dst []byte, field int, v bool) []byte {
	if v {
		return AppendUint(dst, field, 1)
	}
	return AppendUint(dst, field, 0)
}

// AppendBytes appends a field of bytes, or a message inside a message.
func AppendBytes[T ~[]byte | ~string](dst []byte, field int, v T) []byte {
	dst = binary.AppendUvarint(dst, uint64(field)<<3|typeBytes)
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	return append(dst, v...)
}

// AppendDelimited appends a message with its length before it, like headers and parameters in a
// frame.
func AppendDelimited(dst, message []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(message))), message...)
}

// CutDelimited splits off a message that AppendDelimited appended.
func CutDelimited(b []byte) (message, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, fmt.Errorf("%w: a message longer than its frame", ErrMalformed)
	}
	end := used + int(n)
	return b[used:end:end], b[end:], nil
}

// Fields iterates over the fields of a message:
//
//	for f := protobuf.Read(b); f.Next(); {
//		switch f.Number { … }
//	}
//
// and then f.Err. Unknown fields are skipped, as protobuf requires.
type Fields struct {
	// Number is the field's number.
	Number int
	// Uint is the value of a number; Bytes is that of a string, of bytes or of a message, a part of
	// Read's argument. The other of the two is zero: a field of the wrong type is read as empty.
	Uint  uint64
	Bytes []byte
	// Err is the error that ended Next, nil at the message's end.
	Err error

	rest []byte
}

// Read starts reading a message.
func Read(message []byte) *Fields { return &Fields{rest: message} }

// Next moves to the next field; false at the end and after an error.
func (f *Fields) Next() bool {
	if len(f.rest) == 0 || f.Err != nil {
		return false
	}
	tag, ok := f.varint()
	if !ok || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return f.fail("no field's number")
	}
	f.Number, f.Uint, f.Bytes = int(tag>>3), 0, nil
	switch tag & 7 {
	case typeVarint:
		if f.Uint, ok = f.varint(); !ok {
			return f.fail("a number without an end")
		}
	case typeFixed64:
		if len(f.rest) < 8 {
			return f.fail("half a number")
		}
		f.Uint, f.rest = binary.LittleEndian.Uint64(f.rest), f.rest[8:]
	case typeFixed32:
		if len(f.rest) < 4 {
			return f.fail("half a number")
		}
		f.Uint, f.rest = uint64(binary.LittleEndian.Uint32(f.rest)), f.rest[4:]
	case typeBytes:
		n, ok := f.varint()
		if !ok || n > uint64(len(f.rest)) {
			return f.fail("a field longer than its message")
		}
		f.Bytes, f.rest = f.rest[:n:n], f.rest[n:]
	default:
		return f.fail("a type of field that is none")
	}
	return true
}

// Bool is Uint as a bool.
func (f *Fields) Bool() bool { return f.Uint != 0 }

// Uints calls do for each number of a repeated field, packed or not.
func (f *Fields) Uints(do func(uint64)) {
	if f.Bytes == nil {
		do(f.Uint)
		return
	}
	for b := f.Bytes; len(b) > 0; {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			f.fail("a number without an end")
			return
		}
		do(v)
		b = b[n:]
	}
}

func (f *Fields) varint() (uint64, bool) {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		return 0, false
	}
	f.rest = f.rest[n:]
	return v, true
}

func (f *Fields) fail(what string) bool {
	f.Err = fmt.Errorf("%w: %s in a message", ErrMalformed, what)
	return false
}
