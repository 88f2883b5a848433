package logfile

import (
	"io"

	"sluice/schema"
)

// Head reads at most len(b) bytes of a log from its first line on, which identify its stream. NUL
// bytes before that are a hole of holeBytes and skipped. No bytes and no error mean that there is
// no line yet. r must be at the log's beginning.
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
