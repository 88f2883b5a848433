package columnar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"sluice/schema"
	"sluice/table/parquet"
)

// ErrFile marks a file that is damaged or not a columnar file of sluice.
var ErrFile = errors.New("columnar: not a readable file of columns")

// File is an open file. It is safe for concurrent use.
type File struct {
	file    *parquet.File
	meta    Meta
	columns []columnInfo
	groups  []GroupInfo
	time    int // number of the column time, -1
	streams *streamSources
}

// columnInfo is one column of a file.
type columnInfo struct {
	name string
	kind schema.Kind
}

// GroupInfo is one row group.
type GroupInfo struct {
	Rows int
	// minTime and maxTime are of the dated rows; Undated is the number of the others.
	MinTime, MaxTime int64
	Undated          int
	columns          []columnStats
}

// columnStats are the statistics of a column of a row group.
type columnStats struct {
	name  string
	nulls int
	// bounded: min and max, or minInt and maxInt for numbers and times, bound the values. The
	// bounds of texts need not occur as values.
	bounded        bool
	min, max       []byte
	minInt, maxInt int64
	// compressedBytes is the size of the column in the file.
	compressedBytes int64
}

// stats returns the statistics of a column; ok is false if the file does not have it: all rows are
// null.
func (g *GroupInfo) stats(name string) (s columnStats, ok bool) {
	for i := range g.columns {
		if g.columns[i].name == name {
			return g.columns[i], true
		}
	}
	return columnStats{}, false
}

// OpenFile reads the footer of a file of the given size. The error wraps ErrFile, or is that of r.
func OpenFile(r io.ReaderAt, size int64) (*File, error) {
	file, err := parquet.OpenFile(r, size)
	if err != nil {
		return nil, fileError(err)
	}
	f := &File{file: file, time: -1}
	text, ok := file.Metadata(metaKey)
	if !ok {
		return nil, fmt.Errorf("%w: it has no metadata of sluice", ErrFile)
	}
	if err := json.Unmarshal([]byte(text), &f.meta); err != nil {
		return nil, fmt.Errorf("%w: its metadata: %w", ErrFile, err)
	}
	if f.meta.Version != metaVersion {
		return nil, fmt.Errorf("%w: it is of version %d, and only %d is known", ErrFile, f.meta.Version, metaVersion)
	}
	rows := int64(0)
	for _, g := range file.Groups() {
		rows += g.Rows
	}
	if rows != f.meta.Rows {
		return nil, fmt.Errorf("%w: it has %d rows and says %d", ErrFile, rows, f.meta.Rows)
	}
	for i, c := range file.Columns() {
		f.columns = append(f.columns, columnInfo{c.Name, f.kind(c)})
		if c.Name == schema.TimeField && f.columns[i].kind == schema.Time {
			f.time = i
		}
	}
	for i := range file.Groups() {
		f.groups = append(f.groups, f.group(i))
	}
	f.streams = newStreamSources(f.meta.Streams)
	return f, nil
}

// fileError converts an error of the Parquet reader.
func fileError(err error) error {
	if errors.Is(err, parquet.ErrFormat) {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return err
}

func (f *File) kind(c parquet.Column) schema.Kind {
	switch {
	case c.Type == parquet.ByteArray && f.meta.Kinds[c.Name] == schema.Addr.String():
		return schema.Addr
	case c.Type == parquet.ByteArray:
		return schema.Text
	case c.Logical == parquet.TimestampNanos:
		return schema.Time
	}
	return schema.Int
}

// group returns the description of a row group.
func (f *File) group(i int) GroupInfo {
	g := &f.file.Groups()[i]
	info := GroupInfo{Rows: int(g.Rows), Undated: int(g.Rows), columns: make([]columnStats, len(f.columns))}
	for j := range g.Chunks {
		c := &g.Chunks[j]
		s := columnStats{name: f.columns[j].name, nulls: int(c.Nulls), bounded: c.Bounded, compressedBytes: c.CompressedBytes}
		switch {
		case !c.Bounded:
		case isText(f.columns[j].kind):
			s.min, s.max = c.Min, c.Max
		default:
			s.minInt, s.maxInt = parquet.Int(c.Min), parquet.Int(c.Max)
		}
		info.columns[j] = s
	}
	if f.time >= 0 {
		s := &info.columns[f.time]
		info.MinTime, info.MaxTime, info.Undated = s.minInt, s.maxInt, s.nulls
	}
	return info
}

// Meta returns the file's description. It is shared and must not be changed.
func (f *File) Meta() *Meta { return &f.meta }

// Groups returns the file's row groups. They are shared and must not be changed.
func (f *File) Groups() []GroupInfo { return f.groups }

// pageInfo is a run of rows of a row group that can be read separately.
type pageInfo struct {
	firstRow, rows int
	// minTime and maxTime bound the rows' times; a row without a time counts as time 0.
	minTime, maxTime int64
}

// pages returns the pages of a row group, in their order; one page if the file has no page index.
func (f *File) pages(group int) []pageInfo {
	g := &f.groups[group]
	whole := pageInfo{rows: g.Rows, minTime: g.MinTime, maxTime: g.MaxTime}
	if g.Undated > 0 {
		whole.minTime = 0
	}
	if f.time < 0 {
		return []pageInfo{whole}
	}
	pages, err := f.file.Pages(group, f.time)
	if err != nil || len(pages) == 1 {
		return []pageInfo{whole}
	}
	infos := make([]pageInfo, len(pages))
	for i, p := range pages {
		infos[i] = pageInfo{p.FirstRow, p.Rows, p.Min, p.Max}
		if p.Nulls > 0 {
			infos[i].minTime = 0
		}
	}
	return infos
}

// checkPages reads the page index of every column of a group, which Read does not need and
// readRows does, and compares the bounds of pages with b, which has the group's rows.
func (f *File) checkPages(group int, b *Batch) error {
	for i, c := range f.columns {
		pages, err := f.file.Pages(group, i)
		if err != nil {
			return fmt.Errorf("%w: page index of column %s: %w", ErrFile, c.name, err)
		}
		values := b.Column(c.name)
		for _, p := range pages {
			if !p.Bounded || values == nil || len(values.Ints) < p.FirstRow+p.Rows {
				continue
			}
			for row := p.FirstRow; row < p.FirstRow+p.Rows; row++ {
				if v := values.Ints[row]; !values.Null(row) && (v < p.Min || v > p.Max) {
					return fmt.Errorf("%w: page index of column %s: %d is not from %d to %d", ErrFile, c.name, v, p.Min, p.Max)
				}
			}
		}
	}
	return nil
}

// Read decodes columns of a row group into b; nil columns are all. Missing columns are left out.
// The error wraps ErrFile, or is that of the reader.
func (f *File) Read(group int, columns []string, b *Batch) error {
	return f.readRows(group, 0, f.groups[group].Rows, columns, b)
}

// readRows is Read for the rows [from, to) of the group. It reads their pages, and dictionaries.
func (f *File) readRows(group, from, to int, columns []string, b *Batch) error {
	if b.decoder == nil {
		var err error
		if b.decoder, err = parquet.NewDecoder(); err != nil {
			return err
		}
	}
	b.reset(f.streams)
	b.Rows, b.file, b.group, b.from, b.to = to-from, f, group, from, to
	for i, c := range f.columns {
		if columns != nil && !slices.Contains(columns, c.name) {
			continue
		}
		if err := b.read(i); err != nil {
			return err
		}
	}
	return nil
}

// read decodes column i of the batch's file.
func (b *Batch) read(i int) error {
	f := b.file
	c := f.columns[i]
	column, texts, ints := b.add(c.name, c.kind)
	if isText(c.kind) {
		if err := b.decoder.Texts(f.file, b.group, i, b.from, b.to, texts); err != nil {
			return fileError(err)
		}
		column.Dict, column.Codes = texts.Values, texts.Codes
		column.stored, column.prefix = texts.Dictionary(), parquet.PlainPrefix
		return nil
	}
	if err := b.decoder.Ints(f.file, b.group, i, b.from, b.to, ints); err != nil {
		return fileError(err)
	}
	column.Ints, column.Valid = ints.Values, ints.Valid
	return nil
}
