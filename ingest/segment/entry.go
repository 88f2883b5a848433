package segment

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"

	"sluice/schema"
)

// A stream's entry is in the header of its first member in a segment, as a
// second subfield after the first:
//
//	62  'S' 'E'     the subfield's id
//	64  n + 4 (2, LE)
//	66  JSON (n)    host, path, format, zone, sparse, labels; path_bytes, in base64, if
//	                the path is not UTF-8
//	    check (4)   CRC-32C of the JSON, big-endian
//
// It has the same fields as a table's stream directory, so that an archive can be
// replayed without one. It is plain text so that people can read it without a
// program when they repair an archive.
const (
	entryFrameBytes = 8 // id, length, check
	// maxEntryBytes is the longest entry that fits into a gzip header.
	maxEntryBytes = 65000
)

// entryText is an entry as it is written. The stream's id is in the member's header.
type entryText struct {
	Host   string            `json:"host"`
	Path   string            `json:"path,omitempty"`
	Format string            `json:"format,omitempty"`
	Zone   string            `json:"zone,omitempty"`
	Sparse bool              `json:"sparse,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// PathBytes is Path in base64 if that is not UTF-8.
	PathBytes []byte `json:"path_bytes,omitempty"`
}

// CheckEntry returns an error if the stream's entry would not fit into a header, because format or
// labels have tens of kilobytes. Like CheckHost it is called where streams are accepted, so that a
// bad one is rejected there.
func CheckEntry(s schema.Stream, labels map[string]string) error {
	_, err := marshalEntry(&s, labels)
	return err
}

func marshalEntry(s *schema.Stream, labels map[string]string) ([]byte, error) {
	b, err := json.Marshal(entryText{s.Host, s.Path, s.Format, s.Zone, s.Sparse, labels, schema.PathBytes(s.Path)})
	if err == nil && len(b) > maxEntryBytes {
		err = fmt.Errorf("path, format and labels of %.100q take %d bytes, and the archive has room for %d", s.Path, len(b), maxEntryBytes)
	}
	return b, err
}

// appendEntry appends the subfield to dst.
func appendEntry(dst, entry []byte) []byte {
	dst = append(dst, 'S', 'E')
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(entry)+4))
	dst = append(dst, entry...)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(entry, castagnoli))
}

// checkEntry checks a subfield that appendEntry wrote and returns its JSON.
func checkEntry(field []byte) ([]byte, error) {
	n := len(field) - entryFrameBytes
	if string(field[:2]) != "SE" || int(binary.LittleEndian.Uint16(field[2:])) != n+4 {
		return nil, errors.New("its header holds no entry of its stream")
	}
	entry := field[4 : 4+n]
	if crc32.Checksum(entry, castagnoli) != binary.BigEndian.Uint32(field[4+n:]) {
		return nil, errors.New("the checksum of its stream's entry is wrong")
	}
	return entry, nil
}

// Entry returns the entry in the member that Next returned: host, path, format, zone, labels and
// the id. It returns an error if the member has none (EntryBytes is 0), and a *FormatError if it is
// damaged.
func (r *Reader) Entry() (schema.StreamEntry, error) {
	m := r.member
	if m.EntryBytes == 0 {
		return schema.StreamEntry{}, fmt.Errorf("segment: the member at byte %d carries no entry of its stream", m.Offset)
	}
	field := make([]byte, entryFrameBytes+m.EntryBytes)
	if err := readFull(r.src, field, m.Offset+headerBytes); err != nil {
		return schema.StreamEntry{}, fmt.Errorf("segment: read the entry of the member at byte %d: %w", m.Offset, err)
	}
	var text entryText
	entry, err := checkEntry(field)
	if err == nil {
		err = json.Unmarshal(entry, &text)
	}
	if err != nil {
		return schema.StreamEntry{}, r.bad(m.Offset, err.Error())
	}
	return schema.StreamEntry{
		Stream: schema.Stream{ID: m.Stream, Host: text.Host, Path: schema.PathOf(text.Path, text.PathBytes), Format: text.Format, Zone: text.Zone, Sparse: text.Sparse},
		Labels: text.Labels,
	}, nil
}

// described are the streams whose entries a segment has.
type described map[schema.StreamID]description

type description struct {
	stream schema.Stream
	labels map[string]string
}

// missing returns the entry that the next member of the stream must have. It is nil if the segment
// has it already, or if the entry would be empty.
func (d described) missing(s *schema.Stream, labels map[string]string) ([]byte, error) {
	if *s == (schema.Stream{ID: s.ID}) && len(labels) == 0 {
		return nil, nil
	}
	if known, ok := d[s.ID]; ok && known.stream == *s && maps.Equal(known.labels, labels) {
		return nil, nil
	}
	return marshalEntry(s, labels)
}
