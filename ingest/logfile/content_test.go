package logfile

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"
)

const apacheLine = `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.5.0"` + "\n"

// randomBytes returns bytes like those of compressed or encrypted data.
func randomBytes(seed uint64, n int) string {
	random := rand.New(rand.NewPCG(seed, seed))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return string(b)
}

func utf16Text(s string, big, mark bool) string {
	var b []byte
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func TestFilesThatAreNotLogsAreRejectedByName(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar, "access.log")
	copy(tar[257:], "ustar\x0000")
	wtmp := make([]byte, 384*20)
	for i := range 20 {
		wtmp[384*i] = 7
		copy(wtmp[384*i+8:], "pts/0")
		copy(wtmp[384*i+76:], "a-host-with-a-long-name.example.com")
	}
	for name, start := range map[string]string{
		"zip": "PK\x03\x04\x14\x00", "tar": string(tar), "ELF": "\x7fELF\x02\x01\x01", "SQLite": "SQLite format 3\x00\x10\x00",
		"7z": "7z\xbc\xaf\x27\x1c\x00\x04", "lz4": "\x04\x22\x4d\x18\x64\x40", "compress": "\x1f\x9d\x90", "PNG": "\x89PNG\r\n\x1a\n",
		"little-endian": utf16Text(apacheLine, false, true), "big-endian": utf16Text(apacheLine, true, true),
		"(little-endian)": utf16Text(apacheLine, false, false), "(big-endian)": utf16Text(apacheLine, true, false),
		"binary": randomBytes(1, 100), "binary data": string(wtmp), "PDF": "%PDF-1.7\n", "Avro": "Obj\x01\x04\x16avro.schema",
	} {
		c, err := Recognize([]byte(start))
		var not *NotLogError
		if !errors.As(err, &not) || c != NotCompressed || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	for seed := range uint64(300) {
		if _, err := Recognize([]byte(randomBytes(seed, headBytes))); err == nil {
			t.Errorf("random bytes, seed %d, are a log", seed)
		}
	}
}

// A log with odd bytes is a log: bytes from other writers and hostile clients.
func TestALogMayHaveAnyBytes(t *testing.T) {
	hello := `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "` + "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.ReplaceAll(randomBytes(3, 400), "\n", "x") + `" 400 226 "-" "-"` + "\n"
	for name, start := range map[string]string{
		"empty": "", "a line": apacheLine, "one byte": "1", "a newline": "\n", "Latin-1": strings.Repeat("caf\xe9 \xdcber \xff\xfe\n", 50),
		"Latin-1 begins": "\xff\xfe is how it begins\n", "Cyrillic in KOI8-R": strings.Repeat("\xd0\xd2\xc9\xd7\xc5\xd4 \xcd\xc9\xd2\n", 50),
		"Cyrillic in UTF-8": strings.Repeat("привет мир\n", 50), "a mark": "\xef\xbb\xbf" + apacheLine,
		"raw TLS hellos": strings.Repeat(hello, 20), "one raw TLS hello": hello, "terminal escapes": strings.Repeat("\x1b[31mred\x1b[0m\n", 9),
		"a hole": strings.Repeat("\x00", 8192) + apacheLine, "nothing but a hole": strings.Repeat("\x00", headBytes),
		"an odd hole": strings.Repeat("\x00", 31) + apacheLine, "a hole behind": "whole\x00\n\x00\x00\x00", "a hole within": apacheLine + strings.Repeat("\x00", 8192) + apacheLine,
		"a torn line first": "\x01\x02\x03\n" + strings.Repeat(apacheLine, 3), "BZh": "BZh9.example.com - - x\n", "BZ": "BZ", "LZIP": "LZIP is a name\n",
		"MZ": "MZ\n", "P": "P", "PK": "PK - - x\n", "7z": "7z.example.com\n", "ustar": strings.Repeat("x", 250) + " a ustar\n", "Obj": "Obj1 x\n",
		"binary behind a line": apacheLine + randomBytes(4, 4000), "Shift-JIS": strings.Repeat("\x83\x8d\x83O\x82\xf0\n", 9),
		"short lines with controls": apacheLine + "\x01\n\x02\n\x03\n", "]": "]\x00\x00"[:1] + "\n",
	} {
		if c, err := Recognize([]byte(start)); err != nil || c != NotCompressed {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

// The content of a compressed file is recognized too: a compressed tar archive is not a log.
func TestTheContentOfACompressedFileIsRecognized(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	for want, inner := range map[string][]byte{
		"a tar archive": tar, "UTF-16 text": []byte(utf16Text(apacheLine, false, true)), "UTF-32 text": []byte("\xff\xfe\x00\x001\x00\x00\x00"), "binary data": []byte(randomBytes(5, 1000)),
		"gzip data, compressed once more with gzip": pack(t, Gzip, []byte(apacheLine)),
	} {
		path := write(t, pack(t, Gzip, inner))
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func FuzzRecognize(f *testing.F) {
	for _, seed := range []string{apacheLine, "\x1f\x8b\x08\x00", "BZh91AY&SY", utf16Text(apacheLine, true, false), randomBytes(1, 64), "\x00\x00" + apacheLine} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Recognize(b)
		if err != nil && c != NotCompressed {
			t.Errorf("refused and compressed: %v", err)
		}
		// A log is recognized by its first line, whatever follows it.
		line := append([]byte(apacheLine), b...)
		if c, err := Recognize(line); (err != nil || c != NotCompressed) && !bytes.HasPrefix(line[min(257, len(line)):], []byte("ustar")) {
			t.Errorf("a log is %v, %v", c, err)
		}
		r, err := NewReader("fuzz", bytes.NewReader(b))
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		if c == NotCompressed && (err != nil || n != int64(min(len(b), 1<<20))) {
			t.Errorf("%d of %d plain bytes, %v", n, len(b), err)
		}
		r.Close() //nolint:errcheck // it was only read
	})
}

func TestExcluded(t *testing.T) {
	for _, c := range []struct {
		globs string
		path  string
		want  bool
	}{
		{"*.zip", "/var/log/a.zip", true}, {"*.zip", "/var/log/a.zip.log", false}, {"/var/*/a.zip", "/var/log/a.zip", true},
		{"/var/*.zip", "/var/log/a.zip", false}, {"log/*.zip", "/var/log/a.zip", false}, {"", "/a", false}, {"*.tar *.zip", "/a.zip", true},
	} {
		if got := Excluded(strings.Fields(c.globs), c.path); got != c.want {
			t.Errorf("%q of %s: %v", c.globs, c.path, got)
		}
	}
	if err := CheckExclude([]string{"ok*", "a["}); err == nil || !strings.Contains(err.Error(), `"a["`) {
		t.Errorf("%v", err)
	}
}
