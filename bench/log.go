package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"sluice/ingest/logfile"
	"sluice/parse"
	"sluice/schema"
)

const (
	// maxLoadedBytes is the part of a log that is measured in memory: more than any cache, and
	// little enough not to affect the garbage collector.
	maxLoadedBytes = 64 << 20
	batchBytes     = 1 << 20 // as in ingest
)

// Lines are the first lines of a log, in memory, with their format.
type Lines struct {
	data   []byte
	count  int64
	format *parse.Format
}

// Load reads whole lines from the first maxLoadedBytes of a log. The format is a parameter of
// parse.Lookup, or auto.
func Load(path, format string) (_ *Lines, err error) {
	r, err := logfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(io.LimitReader(r, maxLoadedBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if end := bytes.LastIndexByte(data, '\n') + 1; end > 0 {
		data = data[:end]
	} else if len(data) > 0 {
		return nil, fmt.Errorf("%s: no newline in its first %d bytes: not a log that can be measured", path, len(data))
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s is empty: there is nothing to measure", path)
	}
	l := &Lines{data: data, count: int64(bytes.Count(data, []byte{'\n'}))}
	if format == parse.AutoName {
		l.format, err = parse.Auto(data[:min(len(data), 64<<10)], nil)
	} else {
		l.format, err = parse.Lookup(format, time.UTC)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// Size counts the lines and bytes of a log, as a run counts them.
func Size(path string) (_ LogSize, err error) {
	size := LogSize{Path: path}
	r, err := logfile.Open(path)
	if err != nil {
		return size, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buffer := make([]byte, 256<<10)
	last := byte('\n')
	for {
		n, err := r.Read(buffer)
		size.Lines += int64(bytes.Count(buffer[:n], []byte{'\n'}))
		size.Bytes += int64(n)
		if n > 0 {
			last = buffer[n-1]
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return size, fmt.Errorf("%s: %w", path, err)
		}
	}
	if last != '\n' { // a last line without newline counts
		size.Lines++
	}
	return size, nil
}

// head returns the first n lines.
func (l *Lines) head(n int64) *Lines {
	if n >= l.count {
		return l
	}
	end := 0
	for range n {
		end += bytes.IndexByte(l.data[end:], '\n') + 1
	}
	return &Lines{l.data[:end], n, l.format}
}

// batches splits the lines into batches like ingest.
func (l *Lines) batches(stream *schema.Stream) iter.Seq[schema.Batch] {
	return func(yield func(schema.Batch) bool) {
		for start := 0; start < len(l.data); {
			end := min(start+batchBytes, len(l.data))
			if whole := bytes.LastIndexByte(l.data[start:end], '\n') + 1; whole > 0 {
				end = start + whole
			} else {
				end += bytes.IndexByte(l.data[end:], '\n') + 1
			}
			data := l.data[start:end]
			b := schema.Batch{
				Stream: stream, Data: data, Lines: bytes.Count(data, []byte{'\n'}),
				Range: schema.Range{Start: int64(start), End: int64(end)},
			}
			if !yield(b) {
				return
			}
			start = end
		}
	}
}

func (l *Lines) stream() *schema.Stream { return SampleStream(l.format) }

// SampleStream returns a stream for measured lines.
func SampleStream(format *parse.Format) *schema.Stream {
	return &schema.Stream{ID: 0x0123456789abcdef, Host: "bench", Path: "access.log", Format: format.String()}
}
