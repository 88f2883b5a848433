package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/tail"
	"sluice/parse"
	"sluice/print"
	"sluice/schema"
)

// followPrinter prints the deliveries of a Tailer, and flushes after each. A position is stored in
// the checkpoint when the output has been written up to it. It must not be used concurrently.
type followPrinter struct {
	cmd        *parseCmd
	app        *app
	sources    []tail.Source
	checkpoint *checkpoint.File

	printer print.Printer // nil until the columns are known
	columns fixedColumns
	formats parse.Formats
	streams map[schema.StreamID]*printedStream
	rec     schema.Record
	unsaved bool
}

// printedStream is a stream whose lines are printed, with its format.
type printedStream struct {
	stream schema.Stream
	format *parse.Format
}

// maxPrintedStreams limits the number of cached streams; each rotation adds one.
const maxPrintedStreams = 10000

// check finds errors in --output and --fields before following starts, if all formats are known by
// then.
func (f *followPrinter) check() error {
	f.formats, f.streams = parse.Formats{}, map[schema.StreamID]*printedStream{}
	for _, s := range f.sources {
		if s.Format == parse.AutoName {
			return nil
		}
	}
	return f.open()
}

// print prints deliveries until the channel is closed, and saves the checkpoint every saveInterval.
func (f *followPrinter) print(deliveries <-chan *tail.Delivery) error {
	var ticks <-chan time.Time
	if f.cmd.Checkpoint != "" {
		ticker := time.NewTicker(saveInterval)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case d, more := <-deliveries:
			if !more {
				return errors.Join(f.close(), f.save())
			}
			if err := f.delivery(d); err != nil {
				return err
			}
			d.Release()
		case <-ticks:
			if err := f.save(); err != nil {
				return err
			}
		}
	}
}

func (f *followPrinter) delivery(d *tail.Delivery) error {
	for i := range d.Batches {
		if err := f.batch(&d.Batches[i]); err != nil {
			return err
		}
	}
	if err := f.printer.Flush(); err != nil {
		return err
	}
	for _, b := range d.Batches {
		f.checkpoint.Fingerprints.Remember(b.Stream, b.Data, b.End)
		f.checkpoint.Update(func() { b.Stream.Stored = max(b.Stream.Stored, b.End) })
	}
	f.unsaved = true
	return nil
}

// batch prints the lines of one batch.
func (f *followPrinter) batch(b *tail.Batch) error {
	s, err := f.streamOf(b.Stream)
	if err != nil {
		return err
	}
	if f.printer == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	entry := schema.Entry{Stream: &s.stream, Record: &f.rec}
	for data, next := b.Data, b.Start; ; {
		line, start, size, ok := schema.CutLine(data)
		if !ok {
			return nil
		}
		entry.Offset = next + int64(start)
		s.format.Parse(line, &f.rec)
		if err := f.printer.Print(&entry); err != nil {
			return err
		}
		data, next = data[size:], next+int64(size)
	}
}

// streamOf returns the cached stream and format of a tracked stream. The cache is checked against
// the checkpoint because the format of a stream changes if another source finds its log.
func (f *followPrinter) streamOf(tracked *checkpoint.Stream) (*printedStream, error) {
	var now schema.Stream
	f.checkpoint.Update(func() { now = tracked.Stream })
	s := f.streams[now.ID]
	if s != nil && s.stream.Format == now.Format && s.stream.Zone == now.Zone {
		return s, nil
	}
	format, err := f.formats.Of(&now)
	if err != nil {
		return nil, err
	}
	if len(f.streams) >= maxPrintedStreams {
		clear(f.streams)
	}
	s = &printedStream{now, format}
	f.streams[now.ID] = s
	f.columns.check(now.Path, format)
	return s, nil
}

// open opens the printer. Its columns are the fields of the formats that the sources name; with
// auto, also those of the logs that are known by now.
func (f *followPrinter) open() error {
	var fields [][]schema.Field
	add := func(text, zone string) error {
		format, err := parse.LookupIn(text, zone)
		if err == nil {
			fields = append(fields, format.Fields())
		}
		return err
	}
	auto := false
	for _, s := range f.sources {
		if auto = auto || s.Format == parse.AutoName; s.Format == parse.AutoName {
			continue
		}
		if err := add(s.Format, s.Zone); err != nil {
			return err
		}
	}
	if auto {
		for _, s := range f.known() {
			if err := add(s.Format, s.Zone); err != nil {
				return err
			}
		}
	}
	if len(fields) == 0 { // no log was found; the output is empty but valid
		format, err := parse.Auto(nil, nil)
		if err != nil {
			return err
		}
		fields = append(fields, format.Fields())
	}
	var err error
	f.columns = f.cmd.fixedColumns(f.app, print.Union(fields...))
	if f.printer, err = f.cmd.outputFlags.open(f.app.stdout, false, true, fields...); err != nil {
		return err
	}
	return f.printer.Flush() // writes the header of an Avro file
}

// known returns the streams whose formats are known, as copies because the checkpoint may change
// them.
func (f *followPrinter) known() (streams []schema.Stream) {
	for _, s := range f.checkpoint.Streams() {
		f.checkpoint.Update(func() {
			if s.Format != "" {
				streams = append(streams, s.Stream)
			}
		})
	}
	return streams
}

func (f *followPrinter) close() error {
	if f.printer == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	return f.printer.Close()
}

// save saves the checkpoint. It syncs the output first: the lines up to the saved positions must
// survive a crash that the checkpoint survives.
func (f *followPrinter) save() error {
	if f.cmd.Checkpoint == "" || !f.unsaved {
		return nil
	}
	if out, ok := f.app.stdout.(*os.File); ok {
		if info, err := out.Stat(); err == nil && info.Mode().IsRegular() {
			if err := out.Sync(); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
		}
	}
	if err := f.checkpoint.Save(); err != nil {
		return err
	}
	f.unsaved = false
	return nil
}
