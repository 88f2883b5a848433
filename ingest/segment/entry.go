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

// A stream's entry stands in the header of its first member in a segment, as a
// second subfield behind the first:
//
//	62  'S' 'E'     the subfield's id
//	64  n + 4 (2, LE)
//	66  JSON (n)    host, path, format, zone, sparse, labels; path_bytes, in base64, where
//	                the path is not UTF-8
//	    check (4)   CRC-32C of the JSON, big-endian
//
// It is what a table's stream directory has, so that an archive can be replayed
// when nothing else is left. In plain text, because it will be read by a person
// on a bad day.
const (
	entryFrameBytes = 8 // id, length, check
	// maxEntryBytes is the longest entry that a gzip header has room for.
	maxEntryBytes = 65000
)

// entryText is an entry as it is written. The stream's id is the member's.
type entryText struct {
	Host   string            `json:"host"`
	Path   string            `json:"path,omitempty"`
	Format string            `json:"format,omitempty"`
	Zone   string            `json:"zone,omitempty"`
	Sparse bool              `json:"sparse,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// PathBytes is Path where that is not UTF-8, in base64.
	PathBytes []byte `json:"path_bytes,omitempty"`
}

// CheckEntry refuses a stream whose entry would not fit: a format or labels of
// tens of kilobytes. It is for the side that takes them in, as CheckHost.
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

// appendEntry writes the subfield.
func appendEntry(dst, entry []byte) []byte {
	dst = append(dst, 'S', 'E')
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(entry)+4))
	dst = append(dst, entry...)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(entry, castagnoli))
}

// checkEntry reads what appendEntry writes: the JSON, and whether it is whole.
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

// Entry reads the entry that the member which Next returned carries: host, path,
// format, zone, labels and the id. A member without one (EntryBytes 0) is an
// error, as is one that is damaged, a *FormatError.
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

// described are the streams whose entry a segment holds, as it holds it.
type described map[schema.StreamID]description

type description struct {
	stream schema.Stream
	labels map[string]string
}

// missing returns the entry that the next member of the stream has to carry; nil
// when the segment has it, or there is nothing to say.
func (d described) missing(s *schema.Stream, labels map[string]string) ([]byte, error) {
	if *s == (schema.Stream{ID: s.ID}) && len(labels) == 0 {
		return nil, nil
	}
	if known, ok := d[s.ID]; ok && known.stream == *s && maps.Equal(known.labels, labels) {
		return nil, nil
	}
	return marshalEntry(s, labels)
}
