package index

import (
	"bytes"
	"context"
	"errors"
	"io"

	"sluice/parse"
	"sluice/schema"
)

// Cat selects lines: From <= time < To, nanoseconds since 1970; the zero Cat selects all. A line
// without a time is selected if the line before it is.
type Cat struct{ From, To int64 }

// Cat writes the lines in the order of the files, byte for byte as in the log. A range that is
// there twice is written at its first place. A line without its newline gets one if something other
// than its continuation follows.
func (c *Catalog) Cat(ctx context.Context, w io.Writer, cat Cat) (err error) {
	r := c.NewReader()
	defer func() { err = errors.Join(err, r.Close()) }()
	formats := map[schema.StreamID]*parse.Format{}
	var torn *Member // the last member written, if it has no newline at its end
	for i := range c.Members {
		m := &c.Members[i]
		if m.Fresh == m.Range.End {
			continue
		}
		data, err := r.Data(ctx, m)
		if err != nil {
			return err
		}
		data = data[m.Fresh-m.Range.Start:]
		if cat != (Cat{}) {
			format := formats[m.Stream]
			if format == nil {
				if format, err = parse.OfStream(&c.Streams[m.Stream].Entry.Stream); err != nil {
					return err
				}
				formats[m.Stream] = format
			}
			data = cat.within(format, data)
		}
		if bytes.IndexByte(data, 0) >= 0 {
			data = withoutHoles(data)
		}
		if len(data) == 0 {
			continue
		}
		if torn != nil && (torn.Stream != m.Stream || torn.Range.End != m.Fresh) {
			if _, err := w.Write([]byte("\n")); err != nil {
				return err
			}
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		if torn = nil; data[len(data)-1] != '\n' {
			torn = m
		}
	}
	return nil
}

// withoutHoles moves the lines to the front of data, without the NUL bytes before a line, and
// returns them.
func withoutHoles(data []byte) []byte {
	kept := data[:0]
	for len(data) > 0 {
		_, start, size, _ := schema.CutLine(data)
		kept, data = append(kept, data[start:size]...), data[size:]
	}
	return kept
}

// within moves the selected lines to the front of data and returns them.
func (cat Cat) within(format *parse.Format, data []byte) []byte {
	var rec schema.Record
	wanted, kept := false, data[:0]
	for offset, line := range Lines(data, 0) {
		if format.Parse(line, &rec); rec.Dated {
			wanted = rec.Time >= cat.From && (cat.To <= 0 || rec.Time < cat.To)
		}
		if wanted {
			end := min(offset+int64(len(line))+1, int64(len(data)))
			kept = append(kept, data[offset:end]...)
		}
	}
	return kept
}
