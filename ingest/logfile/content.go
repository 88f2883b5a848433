package logfile

import "bytes"

// Compression is how a file's content is compressed.
type Compression uint8

// The compressions that are read.
const (
	NotCompressed Compression = iota
	Gzip
	Zstd
	Bzip2
	XZ
)

func (c Compression) String() string {
	return [...]string{"no compression", "gzip", "zstd", "bzip2", "xz"}[c]
}

// headBytes is how many of a file's first bytes Recognize needs.
const headBytes = 32 << 10

// NotLogError reports that a file has no lines of text. Nothing of it is read.
type NotLogError struct {
	Path    string // empty if the caller adds it
	Content string // "a zip archive"
	Hint    string
}

func (e *NotLogError) Error() string {
	text := "the file is not a log but " + e.Content + ": " + e.Hint
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return text
}

const (
	excludeHint    = "leave it out with --exclude"
	decompressHint = "only gzip, zstd, bzip2 and xz are decompressed; decompress it first, or leave it out with --exclude"
	recodeHint     = "convert it to UTF-8 first, for example with iconv -f UTF-16 -t UTF-8"
	recode32Hint   = "convert it to UTF-8 first, for example with iconv -f UTF-32 -t UTF-8"
)

// magic are the bytes that files of one kind have at an offset.
type magic struct {
	at      int
	bytes   string
	content string
	hint    string
}

// foreign are kinds of files that are found among logs. Kinds whose first bytes could begin a line
// of text are not listed, or are recognized by bytes with which no line begins.
var foreign = []magic{
	{0, "PK\x03\x04", "a zip archive", excludeHint},
	{0, "PK\x05\x06", "a zip archive", excludeHint},
	{257, "ustar", "a tar archive", excludeHint},
	{0, "\x7fELF", "an ELF program", excludeHint},
	{0, "SQLite format 3\x00", "an SQLite database", excludeHint},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", decompressHint},
	{0, "Rar!\x1a\x07", "a rar archive", decompressHint},
	{0, "\x04\x22\x4d\x18", "lz4 data", decompressHint},
	{0, "\x02\x21\x4c\x18", "lz4 data", decompressHint},
	{0, "\x89LZO\x00\r\n\x1a\n", "lzop data", decompressHint},
	{0, "LZIP\x01", "lzip data", decompressHint},
	{0, "\x1f\x9d", "compress data (.Z)", decompressHint},
	{0, "\x5d\x00\x00", "lzma data", decompressHint},
	{0, "\xff\x06\x00\x00sNaPpY", "snappy data", decompressHint},
	{0, "\x89PNG\r\n\x1a\n", "a PNG image", excludeHint},
	{0, "\xff\xd8\xff", "a JPEG image", excludeHint},
	{0, "%PDF-1.", "a PDF document", excludeHint},
	{0, "%PDF-2.", "a PDF document", excludeHint},
	{0, "LPKSHHRH", "a systemd journal", excludeHint},
	{0, "\xd4\xc3\xb2\xa1", "a packet capture", excludeHint},
	{0, "\x0a\x0d\x0d\x0a", "a packet capture", excludeHint},
	{0, "Obj\x01", "an Avro file", excludeHint},
	{0, "PAR1\x15", "a Parquet file", excludeHint},
	{0, "\xca\xfe\xba\xbe", "a Java class", excludeHint},
	{0, "\xed\xab\xee\xdb", "an RPM package", excludeHint},
	{0, "\xff\xfe\x00\x00", "UTF-32 text", recode32Hint},
	{0, "\x00\x00\xfe\xff", "UTF-32 text", recode32Hint},
	{0, "!<arch>\ndebian-binary", "a Debian package", excludeHint},
}

// packed are the compressions by the first bytes of their files.
var packed = []struct {
	begin string
	Compression
}{
	{"\x1f\x8b", Gzip},
	{"\x28\xb5\x2f\xfd", Zstd},
	{"BZh", Bzip2},
	{"\xfd7zXZ\x00", XZ},
}

// Recognize returns the compression of a file from its first bytes, headBytes if it has as many. It
// returns a *NotLogError if it is compressed in another way, or not text. In doubt it is text: a
// log with odd bytes is a log.
func Recognize(start []byte) (Compression, error) {
	start = start[:min(len(start), headBytes)]
	if c := compressionOf(start); c != NotCompressed {
		return c, nil
	}
	for _, m := range foreign {
		if len(start) >= m.at+len(m.bytes) && string(start[m.at:m.at+len(m.bytes)]) == m.bytes {
			return NotCompressed, &NotLogError{Content: m.content, Hint: m.hint}
		}
	}
	if order := utf16Order(start); order != "" {
		return NotCompressed, &NotLogError{Content: "UTF-16 text (" + order + ")", Hint: recodeHint}
	}
	if !isText(start) {
		return NotCompressed, &NotLogError{Content: "binary data", Hint: excludeHint}
	}
	return NotCompressed, nil
}

func compressionOf(start []byte) Compression {
	for _, p := range packed {
		if !bytes.HasPrefix(start, []byte(p.begin)) {
			continue
		}
		// "BZh" may begin a line of text, so the level and the first block, or the end, must
		// follow.
		if p.Compression == Bzip2 && !bzip2Begins(start[3:]) {
			continue
		}
		return p.Compression
	}
	// A skippable frame of zstd; pzstd writes one first.
	if len(start) >= 4 && start[0]&0xf0 == 0x50 && string(start[1:4]) == "\x2a\x4d\x18" {
		return Zstd
	}
	return NotCompressed
}

// bzip2Begins reports whether b can follow "BZh" in a bzip2 file, as far as b goes.
func bzip2Begins(b []byte) bool {
	if len(b) < 2 || b[0] < '1' || b[0] > '9' {
		return false
	}
	b = b[1:min(len(b), 7)]
	return bytes.HasPrefix([]byte("1AY&SY"), b) || bytes.HasPrefix([]byte("\x17\x72\x45\x38\x50\x90"), b)
}

// undecided reports whether more bytes could make start the beginning of a compressed file.
func undecided(start []byte) bool {
	for _, p := range packed {
		if len(start) < len(p.begin) && bytes.HasPrefix([]byte(p.begin), start) {
			return true
		}
	}
	skippable := []byte("\x50\x2a\x4d\x18")
	if len(start) > 0 && start[0]&0xf0 == 0x50 {
		skippable[0] = start[0]
	}
	return len(start) < len(skippable) && bytes.HasPrefix(skippable, start) || bytes.HasPrefix(start, []byte("BZh")) && len(start) < 10
}

// utf16Pairs is how many consecutive characters must look like ASCII in UTF-16 if there is no byte
// order mark.
const utf16Pairs = 16

// utf16Order returns the byte order of UTF-16 text; empty: it is not certain.
func utf16Order(b []byte) string {
	mark := ""
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		mark = "little-endian"
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		mark = "big-endian"
	}
	if mark != "" {
		// Two odd characters may begin a line of text, but then there is no NUL in it.
		if bytes.IndexByte(b[:min(len(b), 4<<10)], 0) >= 0 {
			return mark
		}
		return ""
	}
	if len(b) < 2*utf16Pairs {
		return ""
	}
	little, big := true, true
	for i := 0; i < 2*utf16Pairs; i += 2 {
		little = little && b[i+1] == 0 && isPrint(b[i])
		big = big && b[i] == 0 && isPrint(b[i+1])
	}
	switch {
	case little:
		return "little-endian"
	case big:
		return "big-endian"
	}
	return ""
}
