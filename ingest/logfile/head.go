package logfile

import (
	"io"

	"sluice/schema"
)

// Head reads a log's first bytes, at most len(b), by which its stream is told: those from
// its first line on. NUL bytes before that are a hole and skipped; holeBytes says how many.
// No bytes and no error: there is no line yet. r stands at the log's beginning.
func Head(r io.Reader, b []byte) (start []byte, holeBytes int64, err error) {
	for {
		n, err := io.ReadFull(r, b)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil
		}
		skip := schema.LeadingNULs(b[:n])
		holeBytes += int64(skip)
		if skip < n || n < len(b) || err != nil {
			kept := copy(b, b[skip:n])
			if err != nil || skip == 0 || n < len(b) {
				return b[:kept], holeBytes, err
			}
			n, err = io.ReadFull(r, b[kept:])
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = nil
			}
			return b[:kept+n], holeBytes, err
		}
	}
}
