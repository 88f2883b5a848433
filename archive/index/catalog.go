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

// Archive is the part of an archive.Archive that reading needs.
type Archive interface {
	List(ctx context.Context) ([]archive.File, error)
	Open(ctx context.Context, name string) (archive.Reader, error)
}

// File is an archived file.
type File struct {
	archive.File
	// Host is the host in the file's name or, if the pattern has none, that of its first stream; ""
	// if neither is known.
	Host string
	// Labels are those of its first stream or, if they are unknown, those in its name; nil if the
	// pattern has no label.
	Labels map[string]string
	// Mixed is true if the file has streams whose labels belong to other directories than Labels.
	Mixed bool
	// Time is the beginning of its period by its name, in UTC; zero if the name does not have the
	// day.
	Time time.Time
	// Foreign is true if no collector wrote the file.
	Foreign bool
	// Misplaced is true if the archive's pattern does not make such a name.
	Misplaced bool
	// First and Members are the file's part of Catalog.Members.
	First, Members int
	// Lines and LogBytes are the totals of its members.
	Lines, LogBytes int64
	// Damage is the bytes of the file that are no member.
	Damage []Damage

	described bool // Labels are those of the first stream
}

// Damage is a range of bytes of a file that is no member.
type Damage struct {
	Offset, Bytes int64
	Reason        string
}

// Member is a batch and the file it is in.
type Member struct {
	segment.Member
	// File is an index into Catalog.Files.
	File int32
	// Fresh is the first position of the range that no member before it, in the order of the
	// stream's ranges, has: Range.Start in an intact archive, Range.End if all of it is in other
	// members, too.
	Fresh int64
}

// FreshRange returns the part of the range that no member before it has.
func (m *Member) FreshRange() schema.Range {
	return schema.Range{Start: m.Fresh, End: m.Range.End}
}

// Stream is a stream with lines in the archive.
type Stream struct {
	// Entry is the stream's description in the archive; only the ID is set if Described is false.
	Entry     schema.StreamEntry
	Described bool
	saidAt    int64 // start of the member that Entry is from
	// Members are indexes into Catalog.Members in the order of their ranges.
	Members []int32
}

// Catalog is the content of an archive. It does not change after Read.
type Catalog struct {
	Files   []File
	Members []Member // in the order of the files
	Streams map[schema.StreamID]*Stream

	archive Archive
	pattern archive.Pattern
}

// Read reads the headers of the files that want accepts (nil: all) by their name, Host and Time.
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

// ourName matches the file names of collectors.
var ourName = regexp.MustCompile(`^access\..+-\d+\.log\.gz$`)

// readFile reads the headers of one file.
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

// endFile returns the error for a file without a member.
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
		if err != nil && !errors.As(err, &bad) { // Data returns the error of a damaged member
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

// describe sets the stream's description from a member. The last description in the order of the
// ranges wins, as an operator may have changed labels or format.
func (s *Stream) describe(e schema.StreamEntry, at int64) {
	if !s.Described || at >= s.saidAt {
		s.Entry, s.Described, s.saidAt = e, true, at
	}
}

// describe sets the file's host and labels; all its members have the same host and group of labels.
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

// order sorts each stream's members by range and sets Fresh.
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

// Begin returns the first position of the stream in the archive.
func (c *Catalog) Begin(s *Stream) int64 { return c.Members[s.Members[0]].Range.Start }

// End returns the position after the last byte of the stream in the archive.
func (c *Catalog) End(s *Stream) int64 {
	end := int64(0)
	for _, i := range s.Members {
		end = max(end, c.Members[i].Range.End)
	}
	return end
}

// Holes returns the missing ranges between the first and the last; none for a sparse stream.
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

// Double is a range of a file that another member has, too.
type Double struct {
	File int32
	schema.Range
}

// Doubled returns the ranges that an earlier member has, too. Members for which uncertain is true
// are ignored; nil ignores none.
func (c *Catalog) Doubled(s *Stream, uncertain func(member int32) bool) []Double {
	var found []Double
	gap := int64(0)
	if s.Entry.Sparse {
		gap = 1 // the carriage return that Flume removes from each line
	}
	for _, i := range s.Members {
		m := &c.Members[i]
		if m.Fresh == m.Range.Start || uncertain != nil && uncertain(i) {
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

// StreamIDs returns the streams' ids sorted by host, path and id.
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
