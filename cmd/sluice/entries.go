package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"

	"sluice/parse"
	"sluice/schema"
)

// scanner is a table that can be read.
type scanner interface {
	Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error]
	Streams(ctx context.Context) ([]schema.StreamEntry, error)
}

// entries converts rows to entries. It parses the line of a row again in the format of its stream,
// so that a record does not depend on the cells that the layout stores. Its scans share one record
// and must not run at the same time.
type entries struct {
	table   scanner
	log     *slog.Logger
	streams map[schema.StreamID]*stream
	fields  [][]schema.Field // the fields of each distinct format of the streams
	formats parse.Formats
	rec     schema.Record
}

type stream struct {
	entry  schema.StreamEntry
	format *parse.Format
}

// newEntries reads the table's streams and compiles their formats.
func newEntries(ctx context.Context, table scanner, log *slog.Logger) (*entries, error) {
	e := &entries{table: table, log: log, streams: map[schema.StreamID]*stream{}, formats: parse.Formats{}}
	list, err := table.Streams(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		f, err := e.format(&s.Stream)
		if err != nil {
			return nil, err
		}
		e.streams[s.ID] = &stream{s, f}
	}
	if columns, ok := table.(columnSource); ok {
		for _, s := range columns.Formats() {
			if _, err := e.format(&s); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

// format returns the format of a stream's lines, and adds its fields to fields if it is new.
func (e *entries) format(s *schema.Stream) (*parse.Format, error) {
	known := len(e.formats)
	f, err := e.formats.Of(s)
	if len(e.formats) > known {
		e.fields = append(e.fields, f.Fields())
	}
	return f, err
}

// ofHosts returns the streams of the named hosts (comma-separated), and an error if the table has
// no stream of one of them.
func (e *entries) ofHosts(hosts string) ([]schema.StreamID, error) {
	ids := []schema.StreamID{}
	known := []string{}
	list := splitHosts(hosts)
	for id, s := range e.streams {
		known = append(known, s.entry.Host)
		if list.has(s.entry.Host) {
			ids = append(ids, id)
		}
	}
	return ids, list.check("the table has", known)
}

// lines returns the approximate number of lines that the table has of the streams; nil selects all
// streams.
func (e *entries) lines(ids []schema.StreamID) (n int64) {
	for id, s := range e.streams {
		if ids == nil || slices.Contains(ids, id) {
			n += s.entry.Lines
		}
	}
	return n
}

// scan yields the entries of the rows that s selects. An entry is valid until the next.
func (e *entries) scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Entry, error] {
	if columns, ok := e.table.(columnSource); ok {
		return e.scanColumns(ctx, columns, s)
	}
	return func(yield func(*schema.Entry, error) bool) {
		var entry schema.Entry
		s.Cells = []string{schema.LogbodyField} // the fields are parsed from the line
		for row, err := range e.table.Scan(ctx, s) {
			if err == nil {
				err = e.read(row, &entry)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&entry, nil) {
				return
			}
		}
	}
}

// read parses a row's line into entry, which uses the shared record e.rec.
func (e *entries) read(row *schema.Row, entry *schema.Entry) error {
	line, ok := row.Cell(schema.LogbodyField)
	if !ok {
		return fmt.Errorf("row %x has no %s", row.Key, schema.LogbodyField)
	}
	s := e.streams[row.Stream]
	if s == nil {
		return errors.Join(fmt.Errorf("row %x is of stream %s, which the table's directory does not have", row.Key, row.Stream),
			errors.New("a run that was killed may have left it: run it again"))
	}
	s.format.Parse(line, &e.rec)
	*entry = schema.Entry{Stream: &s.entry.Stream, Offset: row.Offset, Record: &e.rec}
	return nil
}
