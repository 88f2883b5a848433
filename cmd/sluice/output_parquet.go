package main

import (
	"bufio"
	"errors"
	"io"
	"os"

	"sluice/parse"
	"sluice/print"
	"sluice/schema"
	"sluice/table/columnar"
)

// parquetOutput is the --output value for a Parquet file.
const parquetOutput = "parquet"

// parquetRows is the number of rows of a stream that are buffered before they are added to the
// file.
const parquetRows = 4096

// parquetPrinter writes records into one Parquet file with the schema of a columnar table. The file
// declares no range of a log as complete, because it is not part of a table.
type parquetPrinter struct {
	buffer  *bufio.Writer
	file    *columnar.Writer
	streams map[schema.Stream]*parquetStream
	ids     map[schema.StreamID]bool
	last    *parquetStream
	lastOf  *schema.Stream
}

// parquetStream buffers the rows of one stream.
type parquetStream struct {
	stream  schema.Stream
	encoder *columnar.Encoder
	chunk   columnar.Chunk
	errors  int
}

// maxParquetStreams is the limit of streams whose rows are buffered at the same time.
const maxParquetStreams = 256

func newParquetPrinter(w io.Writer) *parquetPrinter {
	buffer := bufio.NewWriterSize(w, 256<<10)
	return &parquetPrinter{buffer: buffer, file: columnar.NewWriter(buffer, columnar.WriterOptions{}),
		streams: map[schema.Stream]*parquetStream{}, ids: map[schema.StreamID]bool{}}
}

// Print implements [print.Printer].
func (p *parquetPrinter) Print(e *schema.Entry) error {
	s := p.last
	if s == nil || p.lastOf != e.Stream {
		var err error
		if s, err = p.stream(e.Stream); err != nil {
			return err
		}
		p.last, p.lastOf = s, e.Stream
	}
	s.encoder.Append(&s.chunk, e.Offset, e.Record)
	if e.Record.Err.Set() {
		s.errors++
	}
	if s.chunk.Len() >= parquetRows {
		return p.put(s)
	}
	return nil
}

// stream returns the parquetStream of a stream; it creates it on first use.
func (p *parquetPrinter) stream(of *schema.Stream) (*parquetStream, error) {
	if s := p.streams[*of]; s != nil {
		return s, nil
	}
	if len(p.streams) >= maxParquetStreams {
		if err := p.Flush(); err != nil {
			return nil, err
		}
		clear(p.streams)
	}
	format, err := parse.OfStream(of)
	if err != nil {
		return nil, err
	}
	s := &parquetStream{stream: *of}
	if s.stream.ID == 0 { // the parse command identifies files by path
		s.stream.ID = schema.NewStreamID(of.Host, 0, 0, []byte(of.Path))
	}
	// If the format of a stream changed, the file does not record which row has which format, so
	// the lines cannot be rebuilt from the columns and must be stored.
	options := columnar.EncoderOptions{AllLines: p.ids[s.stream.ID]}
	p.ids[s.stream.ID] = true
	if s.encoder, err = columnar.NewEncoder(&s.stream, nil, format, options); err != nil {
		return nil, err
	}
	p.streams[*of] = s
	return s, nil
}

// put adds the buffered rows of a stream to the file.
func (p *parquetPrinter) put(s *parquetStream) error {
	err := p.file.Append(&s.stream, nil, schema.Range{}, s.errors, &s.chunk)
	s.chunk.Reset()
	s.errors = 0
	return err
}

// Flush implements [print.Printer]. It adds the buffered rows to the file, which is readable only
// after Close.
func (p *parquetPrinter) Flush() error {
	for _, s := range p.streams {
		if s.chunk.Len() > 0 {
			if err := p.put(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close implements [print.Printer].
func (p *parquetPrinter) Close() error {
	if err := p.Flush(); err != nil {
		return err
	}
	if _, err := p.file.Close(); err != nil {
		return err
	}
	return p.buffer.Flush()
}

// checkParquet returns an error for flags that cannot be used with --output parquet.
func (o outputFlags) checkParquet() error {
	if o.Output == parquetOutput && len(o.Fields) > 0 {
		return usage("--output parquet has all fields, and readers choose among them: leave --fields out")
	}
	return nil
}

// outputFile is a printer that closes its file when it is closed.
type outputFile struct {
	print.Printer
	file *os.File
}

// Close implements [print.Printer].
func (o outputFile) Close() error { return errors.Join(o.Printer.Close(), o.file.Close()) }
