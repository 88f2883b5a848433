package segment

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"sluice/ingest/segment/vfs/crashfs"
)

// A header that is accepted must be encoded to the same bytes.
func FuzzParseHeader(f *testing.F) {
	content, members := openSegment(f)
	for _, m := range members {
		f.Add(content[m.Offset:m.Offset+headerBytes], m.Offset)
	}
	f.Add(make([]byte, headerBytes), int64(0))
	f.Fuzz(func(t *testing.T, src []byte, offset int64) {
		if len(src) < headerBytes {
			return
		}
		m, synced, bad := parseHeader(src, offset)
		if bad != nil {
			return
		}
		var again [headerBytes]byte
		putHeader(again[:], m, synced)
		if !bytes.Equal(again[:], src[:headerBytes]) {
			t.Errorf("%x was read as %+v, which is written as %x", src[:headerBytes], m, again)
		}
	})
}

// For any bytes: what Recover keeps is a prefix that can be read without error, and recovering it
// again changes nothing; a file that it rejects is not changed.
func FuzzRecover(f *testing.F) {
	content, members := openSegment(f)
	f.Add(content, true)
	f.Add(content[:len(content)-5], false)
	f.Add(content[:members[0].End()+30], false)
	f.Add(append(bytes.Clone(content), make([]byte, 700)...), false)
	f.Add(append(bytes.Clone(content[:members[0].End()]), content[members[2].Offset:]...), true)
	f.Add([]byte(headerPrefix), false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, content []byte, all bool) {
		const path = "/1.gz" + OpenSuffix
		fsys := crashfs.New()
		put(t, fsys, path, content)
		rec, err := Recover(fsys, path, RecoverOptions{VerifyAll: all})
		if err != nil {
			if !errors.Is(err, errDamaged) && !errors.Is(err, errNotSegment) {
				t.Fatal(err)
			}
			if !bytes.Equal(get(t, fsys, path), content) {
				t.Fatal("the rejected file was changed")
			}
			return
		}
		if rec.Bytes+rec.CutBytes != int64(len(content)) {
			t.Fatalf("%d kept and %d cut of %d", rec.Bytes, rec.CutBytes, len(content))
		}
		if rec.Removed {
			return
		}
		after := get(t, fsys, path)
		if !bytes.Equal(after, content[:rec.Bytes]) {
			t.Fatal("what is left is not a prefix")
		}
		again, err := Recover(fsys, path, RecoverOptions{VerifyAll: all})
		if err != nil || again.CutBytes != 0 || len(again.Members) != len(rec.Members) {
			t.Fatalf("the second time: %+v, %v", again, err)
		}
		if all {
			if _, _, err := readBack(bytes.NewReader(after), int64(len(after))); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func put(t testing.TB, fsys *crashfs.FS, path string, content []byte) {
	t.Helper()
	f, err := fsys.OpenFile(path, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, fsys *crashfs.FS, path string) []byte {
	t.Helper()
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, info.Size())
	if err := readFull(f, content, 0); err != nil {
		t.Fatal(err)
	}
	return content
}
