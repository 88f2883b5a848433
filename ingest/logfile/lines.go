package logfile

import (
	"bytes"
	"context"
	"io"

	"sluice/schema"
)

const (
	// batchBytes is how much is read at a time: enough to compress well, and so little that two in
	// flight need little memory.
	batchBytes = 1 << 20
	// MaxLineBytes is the longest line. A longer one is cut into several lines.
	MaxLineBytes = 8 << 20
)

// Chunk is a sequence of whole lines of a log; the last may have no newline.
type Chunk struct {
	Data  []byte
	Start int64
	Lines int
}

// LineReader cuts what it reads into chunks of whole lines.
type LineReader struct {
	r        io.Reader
	position int64
	rest     []byte // the beginning of a line, read with the previous Chunk
}

// NewLineReader returns a LineReader of r, which is at position.
func NewLineReader(r io.Reader, position int64) *LineReader {
	return &LineReader{r: r, position: position}
}

// Position returns where the next Chunk begins.
func (l *LineReader) Position() int64 { return l.position }

// Next reads one Chunk into buffer, which it may enlarge. The Chunk is empty only with an error;
// io.EOF is the end, and may be returned with the last Chunk.
func (l *LineReader) Next(buffer []byte) (Chunk, error) {
	buffer, err := fill(l.r, append(buffer[:0], l.rest...))
	end := bytes.LastIndexByte(buffer, '\n') + 1
	for end == 0 && err == nil && len(buffer) < MaxLineBytes {
		buffer, err = fill(l.r, buffer)
		end = bytes.LastIndexByte(buffer, '\n') + 1
	}
	if err == io.EOF || end == 0 && err == nil {
		end = len(buffer)
	}
	l.rest = append(l.rest[:0], buffer[end:]...)
	c := Chunk{Data: buffer[:end], Start: l.position, Lines: CountLines(buffer[:end])}
	l.position += int64(end)
	return c, err
}

// ReadChunks reads r, which is at position, to its end and sends whole lines. It takes buffers from
// free; the receiver must return them there.
func ReadChunks(ctx context.Context, r io.Reader, position int64, free <-chan []byte, out chan<- Chunk) error {
	l := LineReader{r: r, position: position}
	for {
		select {
		case buffer := <-free:
			c, err := l.Next(buffer)
			if len(c.Data) > 0 {
				select {
				case out <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ReadLines calls each for every line of r with its offset, until r ends, each fails or ctx is
// done. The line has no newline and is valid until each returns. NUL bytes before it are not part
// of it (schema.CutLine).
func ReadLines(ctx context.Context, r io.Reader, each func(line []byte, offset int64) error) error {
	l := LineReader{r: r}
	var buffer []byte
	for ctx.Err() == nil {
		c, err := l.Next(buffer)
		buffer = c.Data
		for data, offset := c.Data, c.Start; len(data) > 0; {
			line, at, size, ok := schema.CutLine(data)
			if ok {
				if err := each(line, offset+int64(at)); err != nil {
					return err
				}
			}
			data, offset = data[size:], offset+int64(size)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// fill reads until b has batchBytes more, or the log ends.
func fill(r io.Reader, b []byte) ([]byte, error) {
	want := len(b) + batchBytes
	if cap(b) < want {
		b = append(make([]byte, 0, want), b...)
	}
	for len(b) < want {
		n, err := r.Read(b[len(b):want])
		b = b[:len(b)+n]
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// CountLines counts b's lines; the last may have no newline.
func CountLines(b []byte) int {
	n := bytes.Count(b, []byte("\n"))
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}
