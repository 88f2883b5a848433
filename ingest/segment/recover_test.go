package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
)

// openSegment makes an open segment of three batches, the first synced before the others were
// written, and returns its bytes.
func openSegment(t testing.TB) (content []byte, members []Member) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "1.gz")
	w, err := Create(vfs.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	enc := newEncoder(t)
	start := int64(0)
	for i := range 3 {
		data := sampleLines(uint64(i), 8)
		m, err := w.Append(enc, batchOf(start, data))
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
		start += int64(len(data))
		if i == 0 {
			if err := w.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content, err = os.ReadFile(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	return content, members
}

// recoverBytes recovers an open segment of these bytes.
func recoverBytes(t testing.TB, content []byte, opts RecoverOptions) (rec Recovery, after []byte, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "1.gz"+OpenSuffix)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	rec, err = Recover(vfs.OS{}, path, opts)
	after, readErr := os.ReadFile(path)
	if readErr != nil && !(rec.Removed && errors.Is(readErr, os.ErrNotExist)) {
		t.Fatal(readErr)
	}
	return rec, after, err
}

func TestRecoverTruncatesATailTornAtAnyByte(t *testing.T) {
	content, members := openSegment(t)
	for n := range len(content) + 1 {
		whole := 0
		for whole < len(members) && members[whole].End() <= int64(n) {
			whole++
		}
		rec, after, err := recoverBytes(t, content[:n], RecoverOptions{})
		if err != nil {
			t.Fatalf("torn after %d bytes: %v", n, err)
		}
		if len(rec.Members) != whole || rec.Bytes != int64(len(after)) || rec.Bytes+rec.CutBytes != int64(n) {
			t.Fatalf("torn after %d bytes: %d members, %d bytes kept, %d cut; want %d members", n, len(rec.Members), rec.Bytes, rec.CutBytes, whole)
		}
		if rec.Removed != (whole == 0) || (rec.CutReason == nil) != (rec.CutBytes == 0) {
			t.Fatalf("torn after %d bytes: %+v", n, rec)
		}
		if !bytes.Equal(after, content[:rec.Bytes]) {
			t.Fatalf("torn after %d bytes: other bytes left", n)
		}
	}
}

// After a crash a range may contain zeros while later writes are intact.
func TestRecoverTruncatesAtAHole(t *testing.T) {
	content, members := openSegment(t)
	for name, at := range map[string]int64{
		"in a header":  members[1].Offset,
		"in data":      members[1].Offset + headerBytes + 10,
		"in a trailer": members[1].End() - trailerBytes,
	} {
		holed := bytes.Clone(content)
		clear(holed[at:min(at+512, members[1].End())])
		rec, after, err := recoverBytes(t, holed, RecoverOptions{})
		if err != nil || len(rec.Members) != 1 || !bytes.Equal(after, content[:members[0].End()]) {
			t.Errorf("%s: %d members, %v; want 1", name, len(rec.Members), err)
		}
	}
	rec, _, err := recoverBytes(t, make([]byte, 5000), RecoverOptions{})
	if err != nil || !rec.Removed || rec.CutBytes != 5000 {
		t.Errorf("a file of zeros: %+v, %v", rec, err)
	}
}

// The third batch records the first as synced, so the first must not be truncated.
func TestRecoverLeavesDamageInSyncedBytesAlone(t *testing.T) {
	content, members := openSegment(t)
	for at := range members[0].End() {
		damaged := bytes.Clone(content)
		damaged[at] ^= 0x10
		_, after, err := recoverBytes(t, damaged, RecoverOptions{VerifyAll: true})
		if err == nil && at == members[0].End()-trailerBytes-1 {
			// The unused bits of deflate's last byte have no meaning.
			_, data, err := readBack(bytes.NewReader(damaged), int64(len(damaged)))
			if err != nil || !bytes.Equal(data[0], sampleLines(0, 8)) {
				t.Errorf("byte %d changed: undetected, and the lines differ (%v)", at, err)
			}
			continue
		}
		if !errors.Is(err, errDamaged) && !errors.Is(err, errNotSegment) {
			t.Fatalf("byte %d changed: %v, want ErrDamaged", at, err)
		}
		if !bytes.Equal(after, damaged) {
			t.Fatalf("byte %d changed: the file was changed", at)
		}
	}
}

func TestRecoverNeverChangesWhatIsNotASegment(t *testing.T) {
	content, _ := openSegment(t)
	later := bytes.Clone(content)
	later[16] = 2 // a version that does not exist yet, with an intact header
	binary.BigEndian.PutUint32(later[58:], crc32.Checksum(later[:58], castagnoli))
	cases := map[string][]byte{
		"text":            []byte("127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1\n"),
		"one byte":        []byte("x"),
		"a plain gzip":    []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		"a later version": later,
	}
	for name, content := range cases {
		_, after, err := recoverBytes(t, content, RecoverOptions{})
		if !errors.Is(err, errNotSegment) {
			t.Errorf("%s: %v, want ErrNotSegment", name, err)
		}
		if !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestRecoverRefusesASealedSegment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.gz")
	writeSegment(t, vfs.OS{}, path, []byte("a\n"))
	if _, err := Recover(vfs.OS{}, path, RecoverOptions{}); err == nil {
		t.Error("no error")
	}
}

// After a failed fsync, reads return bytes that a later fsync does not write. Recover must write
// them again before it reports them.
func TestRecoverAfterAFailedFsyncSurvivesACrash(t *testing.T) {
	fsys := crashfs.New()
	w, err := Create(fsys, "/web01/1.gz")
	if err != nil {
		t.Fatal(err)
	}
	enc := newEncoder(t)
	data := sampleLines(1, 500)
	for i := range 3 {
		if _, err := w.Append(enc, batchOf(int64(i*len(data)), data)); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			fsys.Fail = func(op crashfs.Op) error {
				if op.Kind == "sync" {
					return crashfs.ErrInjected
				}
				return nil
			}
		}
		if err := w.Sync(); (err != nil) != (i == 1) {
			t.Fatal(err)
		}
		if i == 1 {
			break
		}
	}
	fsys.Fail = nil
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rec, err := Recover(fsys, w.Path(), RecoverOptions{})
	if err != nil || len(rec.Members) != 2 {
		t.Fatalf("%d members, %v; want 2", len(rec.Members), err)
	}
	if _, err := Seal(fsys, w.Path()); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		members, _ := sealedAfterCrash(t, fsys.Crash(newRand(seed)), "/web01/1.gz")
		if len(members) != 2 {
			t.Fatalf("seed %d: %d members after the crash, want 2", seed, len(members))
		}
	}
}

// A process that was killed inside Create may not have synced the name. What Recover reports must
// be there after a crash nevertheless.
func TestRecoverSyncsTheNameToo(t *testing.T) {
	content, _ := openSegment(t)
	fsys := crashfs.New()
	const path = "/1.gz" + OpenSuffix
	put(t, fsys, path, content)
	rec, err := Recover(fsys, path, RecoverOptions{})
	if err != nil || len(rec.Members) != 3 {
		t.Fatalf("%d members, %v", len(rec.Members), err)
	}
	for seed := range uint64(10) {
		if members, _ := sealedAfterCrash(t, fsys.Crash(newRand(seed)), path); len(members) != 3 {
			t.Fatalf("seed %d: %d members after the crash, want 3", seed, len(members))
		}
	}
}
