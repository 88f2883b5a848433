package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"time"

	"sluice/archive"
	"sluice/ingest/segment"
	"sluice/schema"
)

// Archive is what is needed of one to read it; an archive.Archive is one.
type Archive interface {
	List(ctx context.Context) ([]archive.File, error)
	Open(ctx context.Context, name string) (archive.Reader, error)
}

// File is an archived file.
type File struct {
	archive.File
	// Host is the one in its name or, where the pattern has none, of its first
	// stream; "" when neither says.
	Host string
	// Labels are those of its first stream or, where it does not say, in its name; nil where
	// the pattern has no label.
	Labels map[string]string
	// Mixed: it holds streams whose labels belong into other directories than Labels.
	Mixed bool
	// Time is where its period begins by its name, in UTC; the zero Time when the
	// name does not tell the day.
	Time time.Time
	// Foreign: no collector wrote it.
	Foreign bool
	// Misplaced: the archive's pattern makes no such name.
	Misplaced bool
	// First and Members say which of Catalog.Members are its own.
	First, Members int
	// Lines and LogBytes are what its members hold.
	Lines, LogBytes int64
	// Damage is what of it is no member.
	Damage []Damage

	described bool // Labels are its first stream's
}

// Damage is bytes of a file that are no member.
type Damage struct {
	Offset, Bytes int64
	Reason        string
}

// Member is a batch and the file it is in.
type Member struct {
	segment.Member
	// File is an index of Catalog.Files.
	File int32
	// Fresh is where the bytes begin that no member before it, in the order of the
	// stream's ranges, holds: Range.Start in a sound archive, Range.End when all of it
	// stands elsewhere too.
	Fresh int64
}

// FreshRange is what of the stream the member is the first to hold.
func (m *Member) FreshRange() schema.Range {
	return schema.Range{Start: m.Fresh, End: m.Range.End}
}

// Stream is a stream of which the archive holds something.
type Stream struct {
	// Entry is what the archive says of it; only the ID where Described is false.
	Entry     schema.StreamEntry
	Described bool
	saidAt    int64 // where the member begins that says Entry
	// Members are indexes of Catalog.Members in the order of their ranges.
	Members []int32
}

// Catalog is what an archive holds. It does not change once read.
type Catalog struct {
	Files   []File
	Members []Member // in the order of the files
	Streams map[schema.StreamID]*Stream

	archive Archive
	pattern archive.Pattern
}

// Read reads the headers of the files that want takes (nil: all), told by their
// name, Host and Time.
func Read(ctx context.Context, a Archive, pattern archive.Pattern, want func(*File) bool) (*Catalog, error) {
	list, err := a.List(ctx)
	if err != nil {
		return nil, err
	}
	c := &Catalog{Streams: map[schema.StreamID]*Stream{}, archive: a, pattern: pattern}
	matcher := pattern.Matcher()
	for _, listed := range list {
		f := File{File: listed}
		match, ok := matcher.Match(f.Name)
		f.Host, f.Labels, f.Time, f.Misplaced = match.Host, match.Labels, match.Time, !ok
		if want != nil && !want(&f) {
			continue
		}
		if err := c.readFile(ctx, &f); err != nil {
			return nil, fmt.Errorf("archive file %s: %w", f.Name, err)
		}
		c.Files = append(c.Files, f)
	}
	c.order()
	return c, nil
}

// ourName is what a collector calls its files.
var ourName = regexp.MustCompile(`^access\..+-\d+\.log\.gz$`)

// readFile goes through the headers of one file.
func (c *Catalog) readFile(ctx context.Context, f *File) (err error) {
	src, err := c.archive.Open(ctx, f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	f.First, f.Bytes = len(c.Members), src.Size()
	r := segment.NewReader(newWindow(src, src.Size(), headerWindowBytes), src.Size())
	for ctx.Err() == nil {
		m, err := r.Next()
		var bad *segment.FormatError
		switch {
		case err == io.EOF:
			return c.endFile(f)
		case errors.As(err, &bad):
			skipped, err := r.Resync()
			if err != nil {
				return err
			}
			f.Damage = append(f.Damage, Damage{bad.Offset, skipped, bad.Reason})
		case err != nil:
			return err
		default:
			if err := c.add(f, r, m); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// endFile says what is to be said of a file without a member.
func (c *Catalog) endFile(f *File) error {
	if f.Members > 0 {
		return nil
	}
	if !ourName.MatchString(path.Base(f.Name)) {
		f.Foreign, f.Damage = true, nil
	} else if f.Bytes == 0 {
		f.Damage = []Damage{{Reason: "the file is empty"}}
	}
	return nil
}

func (c *Catalog) add(f *File, r *segment.Reader, m segment.Member) error {
	s := c.Streams[m.Stream]
	if s == nil {
		s = &Stream{Entry: schema.StreamEntry{Stream: schema.Stream{ID: m.Stream}}}
		c.Streams[m.Stream] = s
	}
	if m.EntryBytes > 0 {
		e, err := r.Entry()
		var bad *segment.FormatError
		if err != nil && !errors.As(err, &bad) { // Data will say of a bad one
			return err
		}
		if err == nil {
			s.describe(e, m.Range.Start)
			c.describe(f, &e)
		}
	}
	s.Members = append(s.Members, int32(len(c.Members)))
	c.Members = append(c.Members, Member{Member: m, File: int32(len(c.Files))})
	f.Members++
	f.Lines += int64(m.Lines)
	f.LogBytes += m.Range.Len()
	return nil
}

// describe takes what a member says of its stream. What was said last of a stream counts, in
// the order of its ranges: an operator may have changed its labels or its format.
func (s *Stream) describe(e schema.StreamEntry, at int64) {
	if !s.Described || at >= s.saidAt {
		s.Entry, s.Described, s.saidAt = e, true, at
	}
}

// describe takes what the members of a file say of it: all are of one host and of one group of
// labels.
func (c *Catalog) describe(f *File, e *schema.StreamEntry) {
	if f.Host == "" {
		f.Host = e.Host
	}
	group := c.pattern.Group(e.Labels)
	switch {
	case group == "":
	case !f.described:
		f.Labels, f.described = e.Labels, true
	case group != c.pattern.Group(f.Labels):
		f.Mixed = true
	}
}

// order puts each stream's members in the order of their ranges and says what of
// each is fresh.
func (c *Catalog) order() {
	for _, s := range c.Streams {
		slices.SortStableFunc(s.Members, func(a, b int32) int {
			x, y := c.Members[a].Range, c.Members[b].Range
			return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(y.End, x.End))
		})
		held := int64(0)
		for _, i := range s.Members {
			m := &c.Members[i]
			m.Fresh = min(max(m.Range.Start, held), m.Range.End)
			held = max(held, m.Range.End)
		}
	}
}

// Begin is the first byte of the stream that the archive holds.
func (c *Catalog) Begin(s *Stream) int64 { return c.Members[s.Members[0]].Range.Start }

// End is the position behind the last byte of the stream that the archive holds.
func (c *Catalog) End(s *Stream) int64 {
	end := int64(0)
	for _, i := range s.Members {
		end = max(end, c.Members[i].Range.End)
	}
	return end
}

// Holes are the ranges that are missing between the first and the last; in a sparse
// stream none is.
func (c *Catalog) Holes(s *Stream) []schema.Range {
	if s.Entry.Sparse {
		return nil
	}
	var holes []schema.Range
	held := c.Begin(s)
	for _, i := range s.Members {
		r := c.Members[i].Range
		if r.Start > held {
			holes = append(holes, schema.Range{Start: held, End: r.Start})
		}
		held = max(held, r.End)
	}
	return holes
}

// Double is a range in a file that stands in another place too.
type Double struct {
	File int32
	schema.Range
}

// Doubled are the ranges that an earlier member holds too. Members that doubt says
// true of do not count as one of the two; nil is none.
func (c *Catalog) Doubled(s *Stream, doubt func(member int32) bool) []Double {
	var found []Double
	gap := int64(0)
	if s.Entry.Sparse {
		gap = 1 // the carriage return that Flume cuts off each line
	}
	for _, i := range s.Members {
		m := &c.Members[i]
		if m.Fresh == m.Range.Start || doubt != nil && doubt(i) {
			continue
		}
		if last := len(found) - 1; last >= 0 && found[last].File == m.File {
			if between := m.Range.Start - found[last].End; between >= 0 && between <= gap {
				found[last].End = m.Fresh
				continue
			}
		}
		found = append(found, Double{m.File, schema.Range{Start: m.Range.Start, End: m.Fresh}})
	}
	return found
}

// StreamIDs are the streams' ids by host, path and id.
func (c *Catalog) StreamIDs() []schema.StreamID {
	ids := make([]schema.StreamID, 0, len(c.Streams))
	for id := range c.Streams {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b schema.StreamID) int {
		return CompareStreams(&c.Streams[a].Entry.Stream, &c.Streams[b].Entry.Stream)
	})
	return ids
}

// CompareStreams orders streams by host, path and id.
func CompareStreams(a, b *schema.Stream) int {
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path), cmp.Compare(a.ID, b.ID))
}
