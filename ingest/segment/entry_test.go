package segment

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

var entryStream = schema.Stream{ID: 7, Host: "web01", Path: "/var/log/apache2/access.log", Format: `%h "%r" %>s`, Zone: "Europe/Berlin", Sparse: true}

// entries returns the entry of each member, an empty one for members without.
func entries(t *testing.T, content []byte) (got []schema.StreamEntry) {
	t.Helper()
	r := NewReader(bytes.NewReader(content), int64(len(content)))
	for {
		m, err := r.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		var e schema.StreamEntry
		if m.EntryBytes > 0 {
			if e, err = r.Entry(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Data(); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
}

func TestAStreamsFirstMemberHasItsEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.gz")
	w, err := Create(vfs.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	other := entryStream
	other.ID, other.Path = 8, "/other"
	changed := entryStream
	changed.Format = "combined"
	labels := map[string]string{"site": "shop"}
	enc := newEncoder(t)
	want := []schema.StreamEntry{{Stream: entryStream}, {Stream: other}, {}, {Stream: changed}, {Stream: changed, Labels: labels}, {}}
	for i, b := range []schema.Batch{{Stream: &entryStream}, {Stream: &other}, {Stream: &entryStream}, {Stream: &changed}, {Stream: &changed, Labels: labels}, {Stream: &changed, Labels: labels}} {
		at := int64(i * 2)
		b.Range, b.Data, b.Lines = schema.Range{Start: at, End: at + 2}, []byte("a\n"), 1
		if _, err := w.Append(enc, b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := entries(t, content); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := run(t, "zcat", path); string(got) != strings.Repeat("a\n", len(want)) {
		t.Errorf("zcat reads %q", got)
	}
	for at := int64(headerBytes); at < int64(headerBytes)+40; at++ {
		damaged := bytes.Clone(content)
		damaged[at] ^= 4
		r := NewReader(bytes.NewReader(damaged), int64(len(damaged)))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		var bad *FormatError
		if _, err := r.Entry(); !errors.As(err, &bad) {
			t.Errorf("byte %d changed: entry: %v", at, err)
		}
		if _, err := r.Data(); !errors.As(err, &bad) {
			t.Errorf("byte %d changed: data: %v", at, err)
		}
	}
}

func TestAnEntryThatDoesNotFitIsRejected(t *testing.T) {
	long := entryStream
	long.Format = strings.Repeat("%h", maxEntryBytes)
	if err := CheckEntry(long, nil); err == nil || CheckEntry(entryStream, nil) != nil {
		t.Errorf("%v", err)
	}
	w := &Writer{file: discard{}}
	b := batchOf(0, []byte("a\n"))
	b.Stream = &long
	if _, err := w.Append(newEncoder(t), b); err == nil || w.Size() != 0 {
		t.Errorf("appended: %v, %d bytes", err, w.Size())
	}
}

// A file is written again without some of its members. The compressed bytes of the others do not
// change, and every stream still has its entry.
func TestCopiedMembersAreTheSameBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.gz")
	pieces := [][]byte{sampleLines(1, 50), sampleLines(2, 50), []byte("torn off")}
	writeSegment(t, vfs.OS{}, path, pieces...)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	members, _, err := readBack(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	copyPath := filepath.Join(t.TempDir(), "2.gz")
	w, err := Create(vfs.OS{}, copyPath)
	if err != nil {
		t.Fatal(err)
	}
	from := NewReader(bytes.NewReader(content), int64(len(content)))
	for _, m := range members[1:] {
		if _, err := w.Copy(from, m, &schema.StreamEntry{Stream: *sampleStream}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(copyPath)
	if err != nil {
		t.Fatal(err)
	}
	again, data, err := readBack(bytes.NewReader(copied), int64(len(copied)))
	if err != nil || len(again) != 2 {
		t.Fatalf("%d members, %v", len(again), err)
	}
	for i, m := range again {
		old := members[i+1]
		if m.Range != old.Range || m.Lines != old.Lines || m.Unterminated != old.Unterminated || !bytes.Equal(data[i], pieces[i+1]) {
			t.Errorf("member %d is %+v, was %+v", i, m, old)
		}
		if !bytes.Equal(copied[m.Offset+int64(m.headBytes()):m.End()], content[old.Offset+int64(old.headBytes()):old.End()]) {
			t.Errorf("member %d was compressed anew", i)
		}
	}
	if got := entries(t, copied); got[0].Host != sampleStream.Host {
		t.Errorf("the stream is not described: %+v", got)
	}
}

// Damage anywhere in a file affects only the member that it is in.
func TestAReaderContinuesAfterDamage(t *testing.T) {
	content, members := openSegment(t)
	for at := members[0].Offset; at < members[1].End(); at += 7 {
		damaged := bytes.Clone(content)
		damaged[at] ^= 0x20
		r := NewReader(bytes.NewReader(damaged), int64(len(damaged)))
		intact, skipped := 0, int64(0)
		for {
			_, err := r.Next()
			var bad *FormatError
			if errors.As(err, &bad) {
				n, err := r.Resync()
				if err != nil {
					t.Fatal(err)
				}
				skipped += n
				continue
			}
			if err == io.EOF {
				break
			}
			if _, err := r.Data(); err == nil {
				intact++
			}
		}
		// The unused bits of deflate's last byte have no meaning.
		if intact < 2 || skipped != 0 && skipped != members[0].Bytes && skipped != members[1].Bytes {
			t.Errorf("byte %d changed: %d of 3 members are read, %d bytes skipped", at, intact, skipped)
		}
	}
}
