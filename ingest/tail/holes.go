package tail

import (
	"fmt"

	"golang.org/x/sys/unix"

	"sluice/parse"
	"sluice/schema"
)

// A program that writes its log without O_APPEND goes on at its old offset after
// copytruncate: the log begins with a hole as long as the log was before, which is read as
// NUL bytes. After a power cut there may be one anywhere. A hole is part of a stream's
// ranges, so that offsets stay those of the file and the archive has every byte of it,
// but of no line (schema.CutLine). It is handed over in pieces of a buffer, and a stream's
// identity is its first line, wherever that begins.

// headOf reads a file from its first line on, as much as a format is guessed from.
func (c *contents) headOf(f *file) ([]byte, error) {
	if f.hole > 0 && !stillHole(f.fd, f.hole) {
		f.hole = 0
	}
	b := c.scratch[:parse.HeadBytes]
	for {
		n, err := pread(f.fd, b, f.hole)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.path(), err)
		}
		skip := schema.LeadingNULs(b[:n])
		if skip == 0 {
			return b[:n], nil
		}
		if f.hole += int64(skip); skip == n {
			f.hole = dataAfter(f.fd, f.hole)
		}
	}
}

// stillHole reports whether a file that began with so many NUL bytes may still do so: it
// does at both ends.
func stillHole(fd int, hole int64) bool {
	var b [1]byte
	for _, at := range []int64{0, hole - 1} {
		if n, err := pread(fd, b[:], at); err != nil || n == 0 || b[0] != 0 {
			return false
		}
	}
	return true
}

// dataAfter returns where the file system has data at offset or beyond; offset where it
// does not say.
func dataAfter(fd int, offset int64) int64 {
	at, err := unix.Seek(fd, offset, unix.SEEK_DATA)
	if err != nil {
		return offset
	}
	return max(at, offset)
}

// begins reports whether a file whose first bytes are b begins as its stream does.
func (c *contents) begins(f *file, b []byte) bool {
	if b[0] != 0 {
		return f.stream.Begins(b)
	}
	start, err := c.headOf(f)
	return err == nil && f.stream.Begins(start)
}

// noteHoles counts the NUL bytes before the lines of data, which stands at start, and
// logs the first of a file.
func (ds *deliveries) noteHoles(f *file, data []byte, start int64) {
	bytes := schema.HoleBytes(data)
	if bytes == 0 {
		return
	}
	if f.holeBytes == 0 {
		ds.cfg.Log.Warn("log has NUL bytes before a line, skipped", "path", f.path(), "offset", start,
			"hint", "the program that writes it does not append (O_APPEND) and its log is truncated, or the machine crashed")
	}
	f.holeBytes += bytes
	ds.counters.HoleBytes.Add(bytes)
}
