package logfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// text returns a log of n lines that compress like a real one.
func text(n int) []byte {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "192.0.2.%d - - [17/May/2015:10:05:03 +0000] \"GET /%d HTTP/1.1\" 200 %d\n", random.IntN(250), i, random.Uint32())
	}
	return b.Bytes()
}

// pack compresses b; bzip2 with the program, because there is no writer in Go.
func pack(t *testing.T, c Compression, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch c {
	case Gzip:
		w = gzip.NewWriter(&out)
	case Zstd:
		w, err = zstd.NewWriter(&out)
	case XZ:
		w, err = xz.NewWriter(&out)
	default:
		if _, err := exec.LookPath("bzip2"); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip("no bzip2")
		}
		cmd := exec.Command("bzip2", "-1c")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(b), &out
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if err == nil {
		_, err = w.Write(b)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// write creates a file whose name has no suffix.
func write(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns a file's lines and the error after them.
func read(path string) ([]byte, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

var compressions = []Compression{Gzip, Zstd, Bzip2, XZ}

// Compressed files are recognized by their first bytes, whatever their name is.
func TestCompressedFilesAreReadByTheirFirstBytes(t *testing.T) {
	log, more := text(5000), text(3)
	for _, c := range compressions {
		t.Run(c.String(), func(t *testing.T) {
			path := write(t, pack(t, c, log))
			if got, err := read(path); err != nil || !bytes.Equal(got, log) {
				t.Errorf("%d bytes of %d, %v", len(got), len(log), err)
			}
			if l, err := Look(path); err != nil || !l.Compressed() {
				t.Errorf("Look returned %+v, %v", l, err)
			}
			// Concatenated compressed files are one log.
			both := append(pack(t, c, log), pack(t, c, more)...)
			if got, err := read(write(t, both)); err != nil || !bytes.Equal(got, append(log[:len(log):len(log)], more...)) {
				t.Errorf("two: %d bytes of %d, %v", len(got), len(log)+len(more), err)
			}
			if got, err := read(write(t, pack(t, c, nil))); err != nil || len(got) != 0 {
				t.Errorf("of nothing: %q, %v", got, err)
			}
			r, err := NewReader("pipe", io.MultiReader(byteByByte(pack(t, c, log))...))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, log) {
				t.Errorf("from a pipe: %d bytes of %d, %v", len(got), len(log), err)
			}
		})
	}
}

// byteByByte returns readers that return the first bytes one by one, like a slow pipe.
func byteByByte(b []byte) (readers []io.Reader) {
	n := min(20, len(b))
	for i := range n {
		readers = append(readers, bytes.NewReader(b[i:i+1]))
	}
	return append(readers, bytes.NewReader(b[n:]))
}

// A truncated file returns the lines before the cut, for cuts at all kinds of offsets, and an error
// with file and offset.
func TestTruncatedFileGivesWhatIsBeforeTheCut(t *testing.T) {
	log := text(12000)
	for _, c := range compressions {
		t.Run(c.String(), func(t *testing.T) {
			packed := pack(t, c, log)
			for _, cut := range []int{2, 5, 6, 11, 13, 40, len(packed) / 2, len(packed) - 9, len(packed) - 1} {
				if cut < 4 && c != Gzip {
					continue // too short to be recognized
				}
				path := write(t, packed[:cut])
				got, err := read(path)
				if compressionOf(packed[:cut]) != c {
					continue // not recognized as compressed yet; another test covers that
				}
				var damaged *DamagedError
				if !errors.As(err, &damaged) || damaged.Path != path || damaged.Offset != int64(cut) {
					t.Errorf("cut at %d: %v", cut, err)
				}
				if !bytes.HasPrefix(log, got) {
					t.Errorf("cut at %d: bytes that the log has not", cut)
				}
				if cut == len(packed)-1 && len(got) != len(log) {
					t.Errorf("cut at %d: %d bytes of %d", cut, len(got), len(log))
				}
				if cut == len(packed)/2 && len(got) == 0 {
					t.Errorf("cut at %d: nothing is read", cut)
				}
			}
		})
	}
}

// Every cut is detected, also between two blocks and within every header, and every changed byte.
func TestEveryTruncationIsDetected(t *testing.T) {
	log := text(30)
	blocks := func(check byte) []byte {
		var b bytes.Buffer
		w, err := xz.WriterConfig{BlockSize: 1000, CheckSum: check, DictCap: 1 << 16}.NewWriter(&b)
		if err == nil {
			_, err = w.Write(log)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, packed := range map[string][]byte{
		"gzip": pack(t, Gzip, log), "zstd": pack(t, Zstd, log), "bzip2": pack(t, Bzip2, log),
		"xz CRC64": blocks(xz.CRC64), "xz CRC32": blocks(xz.CRC32), "xz SHA-256": blocks(xz.SHA256),
		"two xz": append(append(blocks(xz.CRC64), make([]byte, 8)...), blocks(xz.CRC64)...),
	} {
		if got, err := read(write(t, packed)); err != nil || len(got)%len(log) != 0 || !bytes.HasPrefix(got, log) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(log), err)
		}
		streamEnd := 0
		if name == "two xz" {
			streamEnd = (len(packed) - 8) / 2
		}
		for cut := 10; cut < len(packed); cut++ {
			r, err := NewReader(name, bytes.NewReader(packed[:cut]))
			if err == nil {
				_, err = io.ReadAll(r)
			}
			var damaged *DamagedError
			if atEnd := streamEnd > 0 && cut >= streamEnd && cut <= streamEnd+8 && cut&3 == 0; errors.As(err, &damaged) == atEnd {
				t.Errorf("%s cut at %d of %d: %v", name, cut, len(packed), err)
			}
		}
		for at := 10; at < len(packed); at++ {
			b := bytes.Clone(packed)
			b[at] ^= 0x10
			r, err := NewReader(name, bytes.NewReader(b))
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
			}
			if err == nil && !bytes.Equal(got[:len(log)], log) {
				t.Errorf("%s changed at %d: other lines without an error", name, at)
			}
		}
	}
}

// Damage behind the data loses no line: NULs, text, half a header.
func TestDamageBehindTheDataLosesNoLine(t *testing.T) {
	log := text(2000)
	for _, c := range compressions {
		for name, tail := range map[string]string{"NULs": strings.Repeat("\x00", 511), "text": "not compressed\n", "half a header": "\x1f", "one NUL": "\x00"} {
			t.Run(c.String()+" and "+name, func(t *testing.T) {
				packed := pack(t, c, log)
				got, err := read(write(t, append(packed, tail...)))
				var damaged *DamagedError
				if !bytes.Equal(got, log) || !errors.As(err, &damaged) {
					t.Fatalf("%d bytes of %d, %v", len(got), len(log), err)
				}
				if end := int64(len(packed)); damaged.Offset < end || damaged.Offset > end+int64(len(tail)) || c == Gzip && len(tail) > 1 && damaged.Offset != end {
					t.Errorf("the data ends at %d: %v", end, err)
				}
			})
		}
	}
}

// A wrong checksum loses no line.
func TestAWrongChecksumLosesNoLine(t *testing.T) {
	log := text(2000)
	packed := pack(t, Gzip, log)
	packed[len(packed)-6]++
	packed = append(packed, pack(t, Gzip, log)...)
	got, err := read(write(t, packed))
	var damaged *DamagedError
	if !bytes.Equal(got, log) || !errors.As(err, &damaged) || !errors.Is(err, gzip.ErrChecksum) {
		t.Errorf("%d bytes of %d, %v", len(got), len(log), err)
	}
}

// A compression bomb needs little memory: 256 MiB of zeros, and a dictionary of 1.5 GiB.
func TestACompressionBombUsesBoundedMemory(t *testing.T) {
	var bomb bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, 9)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("a line\n")) //nolint:errcheck // to a buffer
	for range 256 {
		w.Write(bytes.Repeat([]byte("0"), 1<<20)) //nolint:errcheck // to a buffer
	}
	w.Close() //nolint:errcheck // to a buffer
	r, err := Open(write(t, bomb.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var longest, total int
	allocated := testing.AllocsPerRun(1, func() {
		err = ReadLines(t.Context(), r, func(line []byte, _ int64) error {
			longest, total = max(longest, len(line)), total+len(line)
			return nil
		})
	})
	if err != nil || longest > MaxLineBytes+batchBytes || total < 256<<20 || allocated > 1000 {
		t.Errorf("%d bytes, the longest line %d, %v allocations, %v", total, longest, allocated, err)
	}

	config := xz.WriterConfig{DictCap: 1 << 20}
	var small bytes.Buffer
	x, err := config.NewWriter(&small)
	if err != nil {
		t.Fatal(err)
	}
	x.Write([]byte("a line\n")) //nolint:errcheck // to a buffer
	x.Close()                   //nolint:errcheck // to a buffer
	b := small.Bytes()
	at := bytes.Index(b[12:], []byte("\x21\x01")) + 14
	b[at] = 37 // 1.5 GiB
	end := 12 + 4*int(b[12]+1) - 4
	binary.LittleEndian.PutUint32(b[end:], crc32.ChecksumIEEE(b[12:end]))
	if got, err := read(write(t, b)); err == nil || len(got) > 0 || !strings.Contains(err.Error(), "dictionary of 1536 MiB") {
		t.Errorf("a dictionary of 1.5 GiB: %q, %v", got, err)
	}
}

// The name does not decide: an uncompressed log may be called .gz.
func TestCompressionIsNotTakenFromTheName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log.gz")
	log := text(3)
	if err := os.WriteFile(path, log, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, plain := r.(io.Seeker); !plain {
		t.Error("a plain log cannot be sought in")
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, log) {
		t.Errorf("%q, %v", got, err)
	}
	for name, trimmed := range map[string]string{"a.log.GZ": "a.log", "a.xz": "a", "a.log": "a.log", ".gz": ".gz", "a.zst": "a", "a.Bz2": "a"} {
		if got := trimCompressed(name); got != trimmed || CompressedName(name) != (name != trimmed) {
			t.Errorf("TrimCompressed(%s) = %s", name, got)
		}
	}
}
