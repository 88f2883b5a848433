package tail

import (
	"fmt"

	"golang.org/x/sys/unix"

	"sluice/parse"
	"sluice/schema"
)

// A program that writes its log without O_APPEND continues at its old offset after copytruncate.
// The log then begins with a hole of the old length, which is read as NUL bytes. After a power
// failure there may be a hole anywhere. A hole belongs to the stream's ranges, so that offsets are
// those of the file and the archive has every byte of it, but it belongs to no line
// (schema.CutLine). It is delivered in parts of at most one buffer. A stream is identified by its
// first line, wherever that begins.

// headOf reads a file from its first line on, as many bytes as the detection of a format needs.
func (c *contents) headOf(f *file) ([]byte, error) { return c.head(f, parse.HeadBytes) }

// startOf reads a file from its first line on, as many bytes as identify a stream.
func (c *contents) startOf(f *file) ([]byte, error) { return c.head(f, schema.MaxHeadBytes) }

// head reads at most limit bytes of a file from its first line on. They are valid until the next call.
func (c *contents) head(f *file, limit int) ([]byte, error) {
	if f.hole > 0 && !stillHole(f.fd, f.hole) {
		f.hole = 0
	}
	b := c.scratch[:limit]
	for {
		n, err := pread(f.fd, b, f.hole)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.path(), err)
		}
		skip := schema.LeadingNULs(b[:n])
		if skip == 0 {
			return b[:min(n, limit)], nil
		}
		b = c.scratch[:parse.HeadBytes] // the hole may be long
		if f.hole += int64(skip); skip == n {
			f.hole = dataAfter(f.fd, f.hole)
		}
	}
}

// stillHole reports whether a file that began with so many NUL bytes may still do so, by reading
// the first and the last of them.
func stillHole(fd int, hole int64) bool {
	var b [1]byte
	for _, at := range []int64{0, hole - 1} {
		if n, err := pread(fd, b[:], at); err != nil || n == 0 || b[0] != 0 {
			return false
		}
	}
	return true
}

// dataAfter returns the first offset, from offset on, at which the file system has data; offset
// itself if it does not report that.
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
	start, err := c.startOf(f)
	return err == nil && f.stream.Begins(start)
}

// noteHoles counts the NUL bytes before the lines of data, which begins at start, and logs the
// first ones of a file.
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
