package columnar

import (
	"encoding/json"
	"fmt"

	"sluice/schema"
)

// MetaKey is the key of the file's description in Parquet's key-value metadata.
const MetaKey = "sluice"

// MetaVersion is the version of the description that this package writes.
const MetaVersion = 1

// Meta describes a file: what its rows are and where they come from.
type Meta struct {
	Version int `json:"version"`
	// Segment is the name of the segment that the file was made of; empty in a merged file.
	Segment string `json:"segment,omitempty"`
	// Replaces names the files that this one was merged from: their rows are here.
	Replaces []string `json:"replaces,omitempty"`
	// Rows is the number of rows, Undated of those without an event time.
	Rows    int64 `json:"rows"`
	Undated int64 `json:"undated,omitempty"`
	// MinTime and MaxTime are the earliest and latest event time of the dated rows, in
	// nanoseconds since 1970; 0 where no row is dated.
	MinTime int64 `json:"min_time"`
	MaxTime int64 `json:"max_time"`
	// Kinds are the columns whose kind the Parquet type does not say: "addr".
	Kinds map[string]string `json:"kinds,omitempty"`
	// Streams are the streams of the rows, in the order of their first row. A stream whose
	// format changed within the segment stands here once for each format.
	Streams []StreamMeta `json:"streams"`
}

// StreamMeta is a stream that has rows in a file.
type StreamMeta struct {
	Stream schema.Stream
	Labels map[string]string
	// Ranges are the parts of the stream that the file has, in the order of the segment.
	// Ranges that touch are one.
	Ranges []RangeMeta
	// First and Last are the earliest and latest event time of its dated rows, 0 where
	// none is dated.
	First, Last int64
}

// RangeMeta is a range of a stream with the number of its lines, and of those that do not
// follow their format.
type RangeMeta struct {
	schema.Range
	Lines, Errors int64
}

// streamText is a stream as it stands in a file's metadata.
type streamText struct {
	ID        string            `json:"id"`
	Host      string            `json:"host"`
	Path      string            `json:"path,omitempty"`
	PathBytes []byte            `json:"path_bytes,omitempty"`
	Format    string            `json:"format,omitempty"`
	Zone      string            `json:"zone,omitempty"`
	Sparse    bool              `json:"sparse,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	// Ranges are start, end, lines, errors.
	Ranges [][4]int64 `json:"ranges"`
	First  int64      `json:"first,omitempty"`
	Last   int64      `json:"last,omitempty"`
}

// MarshalJSON writes the stream as it stands in a file's metadata.
func (s StreamMeta) MarshalJSON() ([]byte, error) {
	text := streamText{
		ID: s.Stream.ID.String(), Host: s.Stream.Host, Path: s.Stream.Path, PathBytes: schema.PathBytes(s.Stream.Path),
		Format: s.Stream.Format, Zone: s.Stream.Zone, Sparse: s.Stream.Sparse, Labels: s.Labels,
		Ranges: make([][4]int64, len(s.Ranges)), First: s.First, Last: s.Last,
	}
	for i, r := range s.Ranges {
		text.Ranges[i] = [4]int64{r.Start, r.End, r.Lines, r.Errors}
	}
	return json.Marshal(text)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *StreamMeta) UnmarshalJSON(b []byte) error {
	var text streamText
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	id, err := schema.ParseStreamID(text.ID)
	if err != nil {
		return err
	}
	*s = StreamMeta{
		Stream: schema.Stream{ID: id, Host: text.Host, Path: schema.PathOf(text.Path, text.PathBytes), Format: text.Format, Zone: text.Zone, Sparse: text.Sparse},
		Labels: text.Labels, Ranges: make([]RangeMeta, len(text.Ranges)), First: text.First, Last: text.Last,
	}
	for i, r := range text.Ranges {
		if r[0] < 0 || r[1] < r[0] || r[2] < 0 || r[3] < 0 {
			return fmt.Errorf("impossible range %v of stream %s", r, text.ID)
		}
		s.Ranges[i] = RangeMeta{schema.Range{Start: r[0], End: r[1]}, r[2], r[3]}
	}
	return nil
}

// add takes in one more range; one that begins where the last one ends prolongs it.
func (s *StreamMeta) add(r RangeMeta) {
	if n := len(s.Ranges); n > 0 && s.Ranges[n-1].End == r.Start {
		last := &s.Ranges[n-1]
		last.End, last.Lines, last.Errors = r.End, last.Lines+r.Lines, last.Errors+r.Errors
		return
	}
	s.Ranges = append(s.Ranges, r)
}

// extend takes event times into First and Last; 0 is none.
func (s *StreamMeta) extend(first, last int64) {
	if first != 0 && (s.First == 0 || first < s.First) {
		s.First = first
	}
	s.Last = max(s.Last, last)
}

// contains reports whether the line at offset is in one of the stream's ranges.
func (s *StreamMeta) contains(offset int64) bool {
	for _, r := range s.Ranges {
		if r.Start <= offset && offset < r.End {
			return true
		}
	}
	return false
}
