package schema

import "bytes"

// CutLine returns the first line of data, its start in data, and the number of bytes that it takes,
// with what precedes it and with its newline. The line lacks the newline; the last one of data may
// have none. ok is false if data has no line: it is empty, or has only NUL bytes and no newline.
//
// NUL bytes before a line are a hole in the log and not part of the line: its writer does not
// append (O_APPEND) and continued at its old offset after the log was truncated, or the machine
// crashed before the bytes were written to disk. They count in offsets, and the archive has them.
// NUL bytes within a line, or at its end, are part of the line.
func CutLine(data []byte) (line []byte, start, size int, ok bool) {
	if len(data) > 0 && data[0] == 0 {
		start = LeadingNULs(data)
		if start == len(data) {
			return nil, start, start, false
		}
	}
	end := bytes.IndexByte(data[start:], '\n')
	if end < 0 {
		return data[start:], start, len(data), len(data) > 0
	}
	return data[start : start+end], start, start + end + 1, true
}

// nuls is compared with in LeadingNULs; it is not changed.
var nuls [4096]byte

// LeadingNULs returns the number of NUL bytes at the start of data.
func LeadingNULs(data []byte) int {
	n := 0
	for len(data)-n >= len(nuls) && bytes.Equal(data[n:n+len(nuls)], nuls[:]) {
		n += len(nuls)
	}
	for n < len(data) && data[n] == 0 {
		n++
	}
	return n
}

// HoleBytes returns the number of NUL bytes before lines in data, which starts at the start of a
// line. It examines only lines with such bytes, so that a NUL byte within a line costs nothing.
func HoleBytes(data []byte) (n int64) {
	for {
		i := bytes.IndexByte(data, 0)
		if i < 0 {
			return n
		}
		if i == 0 || data[i-1] == '\n' {
			hole := LeadingNULs(data[i:])
			n += int64(hole)
			i += hole
		}
		end := bytes.IndexByte(data[i:], '\n')
		if end < 0 {
			return n
		}
		data = data[i+end+1:]
	}
}
