package columnar

import (
	"encoding/json"
	"fmt"

	"sluice/schema"
)

// metaKey is the key of the file's description in Parquet's key-value metadata.
const metaKey = "sluice"

// metaVersion is the version of the description that this package writes.
const metaVersion = 1

// Meta describes a file: its rows and their origin.
type Meta struct {
	Version int `json:"version"`
	// Segment is the name of the file's segment; empty in a merged file.
	Segment string `json:"segment,omitempty"`
	// Replaces are the names of the files that this one was merged from; it has their rows.
	Replaces []string `json:"replaces,omitempty"`
	// rows is the number of rows, Undated of those without an event time.
	Rows    int64 `json:"rows"`
	Undated int64 `json:"undated,omitempty"`
	// minTime and maxTime are the earliest and latest event time of the dated rows, in nanoseconds
	// since 1970; 0 without a dated row.
	MinTime int64 `json:"min_time"`
	MaxTime int64 `json:"max_time"`
	// Kinds are the columns whose kind cannot be derived from the Parquet type: "addr".
	Kinds map[string]string `json:"kinds,omitempty"`
	// Streams are the streams of the rows, in the order of their first row. A stream whose format
	// changed within the segment is listed once for each format.
	Streams []StreamMeta `json:"streams"`
}

// StreamMeta is a stream with rows in a file.
type StreamMeta struct {
	Stream schema.Stream
	Labels map[string]string
	// Ranges are the ranges of the stream in the file, in the order of the segment. Adjacent ranges
	// are joined.
	Ranges []RangeMeta
	// First and Last are the earliest and latest event time of its dated rows, 0 without one.
	First, Last int64
}

// RangeMeta is a range of a stream with the number of its lines, and of its parse errors.
type RangeMeta struct {
	schema.Range
	Lines, Errors int64
}

// streamText is a stream in the JSON of a file's metadata.
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

// MarshalJSON encodes the stream for a file's metadata.
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

// UnmarshalJSON decodes the output of MarshalJSON.
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

// add adds a range; one that begins at the end of the last one extends it.
func (s *StreamMeta) add(r RangeMeta) {
	if n := len(s.Ranges); n > 0 && s.Ranges[n-1].End == r.Start {
		last := &s.Ranges[n-1]
		last.End, last.Lines, last.Errors = r.End, last.Lines+r.Lines, last.Errors+r.Errors
		return
	}
	s.Ranges = append(s.Ranges, r)
}

// extend extends First and Last by event times; 0 is none.
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
