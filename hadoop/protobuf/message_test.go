package protobuf

import (
	"encoding/binary"
	"errors"
	"testing"
)

func TestFieldsOfAMessage(t *testing.T) {
	m := AppendUint(nil, 1, 1<<63)
	m = AppendBytes(m, 2, "text")
	m = AppendBool(m, 1<<20, true)
	m = binary.LittleEndian.AppendUint64(append(m, 3<<3|typeFixed64), 7)
	m = binary.LittleEndian.AppendUint32(append(m, 4<<3|typeFixed32), 8)
	m = AppendBytes(m, 5, []byte{1, 0x80, 1, 0})
	type field struct {
		number int
		uint   uint64
		bytes  string
	}
	want := []field{{1, 1 << 63, ""}, {2, 0, "text"}, {1 << 20, 1, ""}, {3, 7, ""}, {4, 8, ""}, {5, 0, "\x01\x80\x01\x00"}}
	i := 0
	f := Read(m)
	for ; f.Next(); i++ {
		if got := (field{f.Number, f.Uint, string(f.Bytes)}); i >= len(want) || got != want[i] {
			t.Errorf("field %d is %+v", i, got)
		}
	}
	if f.Err != nil || i != len(want) {
		t.Errorf("%d fields, %v", i, f.Err)
	}
	var list []uint64
	for f := Read(AppendUint(AppendBytes(nil, 1, []byte{1, 0x80, 1, 0}), 1, 9)); f.Next(); {
		f.Uints(func(n uint64) { list = append(list, n) })
	}
	if len(list) != 4 || list[1] != 128 || list[3] != 9 {
		t.Errorf("packed and single numbers: %v", list)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(AppendBytes(AppendUint(nil, 1, 300), 2, "text"))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, m []byte) {
		bytes := 0
		fields := Read(m)
		for fields.Next() {
			bytes += len(fields.Bytes)
			fields.Uints(func(uint64) {})
		}
		if bytes > len(m) {
			t.Fatalf("%d bytes of a message of %d", bytes, len(m))
		}
		if message, rest, err := CutDelimited(m); err == nil && len(message)+len(rest) >= len(m) {
			t.Fatal("a length of no bytes")
		}
	})
}

func TestTruncatedMessageIsMalformed(t *testing.T) {
	m := AppendBytes(AppendUint(nil, 1, 300), 2, "text")
	for n := 1; n < len(m); n++ {
		f := Read(m[:n])
		for f.Next() {
		}
		if whole := n == 3; (f.Err == nil) != whole || !whole && !errors.Is(f.Err, ErrMalformed) {
			t.Errorf("%d bytes of a message: %v", n, f.Err)
		}
	}
}
