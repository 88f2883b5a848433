package ingest

import (
	"bytes"
	"context"
	"io"
)

const (
	// batchBytes is how much is read at a time: large enough to compress well,
	// small enough that two in flight cost little memory.
	batchBytes = 1 << 20
	// maxLineBytes: what goes on without a newline for longer is cut there, each
	// piece a line of its own.
	maxLineBytes = 8 << 20
)

// chunk is whole lines as they come from a log; the last may lack its newline.
type chunk struct {
	data  []byte
	start int64
	lines int
	free  chan<- []byte // where data goes when it is done with
}

// readChunks reads r, which stands at position, to its end and sends whole
// lines. Buffers come from free and are handed back there by the receiver.
func readChunks(ctx context.Context, r io.Reader, position int64, free chan []byte, out chan<- chunk) error {
	var rest []byte
	for {
		var buffer []byte
		select {
		case buffer = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		buffer = append(buffer[:0], rest...)
		buffer, err := fill(r, buffer)
		end := bytes.LastIndexByte(buffer, '\n') + 1
		for end == 0 && err == nil && len(buffer) < maxLineBytes {
			buffer, err = fill(r, buffer)
			end = bytes.LastIndexByte(buffer, '\n') + 1
		}
		if err == io.EOF || end == 0 {
			end = len(buffer)
		}
		rest = append(rest[:0], buffer[end:]...)
		if end > 0 {
			c := chunk{data: buffer[:end], start: position, lines: countLines(buffer[:end]), free: free}
			select {
			case out <- c:
				position += int64(end)
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
	}
}

// fill reads until b has a batch's bytes more, or the log ends.
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

func countLines(b []byte) int {
	n := bytes.Count(b, []byte("\n"))
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}
