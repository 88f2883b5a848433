package schema

import (
	"bytes"
	"net/netip"
	"strconv"
	"time"
	"unsafe"
)

// Entry is a line with its origin, the input of filters, aggregations and printers.
type Entry struct {
	Stream *Stream
	Offset int64 // of the line's first byte in the stream
	Record *Record
}

// Names that every entry has, beside HostField, LogbodyField, ParseErrorField and TimeField. A
// format's own field of that name takes precedence.
const (
	// FileField is the path at which the stream was first found.
	FileField = "file"
	// StreamField is the stream's id, 16 hexadecimal digits.
	StreamField = "stream"
	// OffsetField is where the line starts in the stream, in bytes.
	OffsetField = "offset"
)

// entryFields are the fields that entries have beside those of their format.
var entryFields = []Field{
	{Name: HostField}, {Name: FileField}, {Name: StreamField}, {Name: OffsetField, Kind: Int},
	{Name: LogbodyField}, {Name: ParseErrorField}, {Name: TimeField, Kind: Time},
}

// EntryField returns the field called name that every entry has.
func EntryField(name string) (Field, bool) {
	if i := Index(entryFields, name); i >= 0 {
		return entryFields[i], true
	}
	return Field{}, false
}

type source uint8

const (
	nowhere source = iota
	ofRecord
	ofHost
	ofFile
	ofStream
	ofOffset
	ofLogbody
	ofParseError
	ofTime
	ofURLPath     // from the path at the place's index
	ofStatusClass // from the status at the place's index
)

var entrySources = map[string]source{
	HostField: ofHost, FileField: ofFile, StreamField: ofStream, OffsetField: ofOffset,
	LogbodyField: ofLogbody, ParseErrorField: ofParseError, TimeField: ofTime,
}

// Place is the location of a name's value in the entries of a format. The zero Place is that of a
// name that they do not have: always null.
type Place struct {
	Kind   Kind
	source source
	index  int
}

// Locate finds a name among the fields of a format and those that every entry has.
func Locate(fields []Field, name string) Place {
	i := Index(fields, name)
	if i >= 0 && (name != TimeField || fields[i].Kind != Time) {
		return Place{fields[i].Kind, ofRecord, i}
	}
	if p := locateComputed(fields, name); p.source != nowhere {
		return p
	}
	f, _ := EntryField(name)
	return Place{Kind: f.Kind, source: entrySources[name]}
}

// Null reports whether the entry has no value at p.
func (e *Entry) Null(p Place) bool {
	switch p.source {
	case nowhere:
		return true
	case ofRecord:
		return e.Record.Null(p.index)
	case ofParseError:
		return !e.Record.Err.Set()
	case ofTime:
		return !e.Record.Dated
	case ofURLPath:
		return e.Record.Null(p.index)
	case ofStatusClass:
		return e.statusClass(p) == 0
	}
	return false
}

// Num returns the number at p, or the nanoseconds since 1970 of a time; 0 for
// anything else.
func (e *Entry) Num(p Place) int64 {
	switch {
	case p.source == ofOffset:
		return e.Offset
	case p.source == ofTime:
		return e.Record.Time
	case p.source == ofRecord && (p.Kind == Int || p.Kind == Time):
		return e.Record.Values[p.index].Num
	}
	return 0
}

// Text returns the value at p as bytes, unescaped, numbers in decimal and times as appendTime
// formats them; nil for null. A value that is not in the record is formatted in buf, which is
// emptied first. The bytes are valid until record or buf is used again, and must not be changed.
func (e *Entry) Text(p Place, buf *[]byte) []byte {
	switch {
	case e.Null(p):
		return nil
	case p.source == ofLogbody:
		return e.Record.Line
	case p.source == ofRecord && (p.Kind == Text || p.Kind == Addr):
		return e.Record.Bytes(p.index)
	case p.source == ofURLPath:
		return URLPath(e.Record.Bytes(p.index))
	}
	b := (*buf)[:0]
	switch p.source {
	case ofHost:
		b = append(b, e.Stream.Host...)
	case ofFile:
		b = append(b, e.Stream.Path...)
	case ofStream:
		b = e.Stream.ID.append(b)
	case ofParseError:
		b = e.Record.Err.append(b)
	case ofStatusClass:
		b = append(b, e.statusClass(p), 'x', 'x')
	default:
		if p.Kind == Time {
			b = appendTime(b, e.Num(p), e.Record.ZoneSeconds)
		} else {
			b = strconv.AppendInt(b, e.Num(p), 10)
		}
	}
	*buf = b
	return b
}

// Addr returns the address at p, an IPv4 one in its short form; false if there is none.
func (e *Entry) Addr(p Place, buf *[]byte) (netip.Addr, bool) {
	if p.source == ofRecord && e.Record.Values[p.index].IPv4 {
		return e.Record.Addr(p.index)
	}
	return ParseAddr(e.Text(p, buf))
}

// ParseAddr parses an address, an IPv4 one in its short form; false for anything else.
func ParseAddr(text []byte) (netip.Addr, bool) {
	if bytes.IndexByte(text, ':') < 0 && len(bytes.Trim(text, "0123456789.")) > 0 {
		return netip.Addr{}, false // a host name: avoids the allocation of ParseAddr's error
	}
	// A string would be an allocation for each line. ParseAddr keeps its argument only in an error,
	// which is dropped here.
	a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(text), len(text)))
	return a.Unmap(), err == nil
}

// append writes what String returns.
func (id StreamID) append(dst []byte) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[uint64(id)>>shift&15])
	}
	return dst
}

// append writes what Error returns.
func (e ParseError) append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, "byte "...), int64(e.Offset), 10)
	dst = append(append(dst, ": "...), e.Directive...)
	return append(append(dst, ": "...), e.Reason...)
}

// appendTime appends nanoseconds since 1970 in RFC 3339, in a zone of zoneSeconds east of UTC, with
// as many digits of the fraction as needed. A zone that RFC 3339 cannot express is replaced by UTC.
func appendTime(dst []byte, nanos int64, zoneSeconds int32) []byte {
	if zoneSeconds%60 != 0 || zoneSeconds <= -86400 || zoneSeconds >= 86400 {
		zoneSeconds = 0
	}
	// A time.Location for each zone would be an allocation, so the zone is formatted here.
	wall := time.Unix(0, nanos).UTC().Add(time.Duration(zoneSeconds) * time.Second)
	dst = wall.AppendFormat(dst, "2006-01-02T15:04:05.999999999")
	if zoneSeconds == 0 {
		return append(dst, 'Z')
	}
	sign, minutes := byte('+'), zoneSeconds/60
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	h, m := minutes/60, minutes%60
	return append(dst, sign, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10))
}

// Columns finds the same names in entries of several formats. It is not safe for concurrent use.
type Columns struct {
	names  []string
	last   *Field
	places []Place
	known  map[*Field][]Place // by the first of the format's fields
}

// maxKnownFormats bounds the cache of Columns; beyond it names are located again.
const maxKnownFormats = 1024

// NewColumns returns the columns of these names.
func NewColumns(names []string) *Columns {
	return &Columns{names: names, known: make(map[*Field][]Place)}
}

// Of returns the places of the names, in their order, in an entry of rec's format. They are shared
// and must not be changed.
func (c *Columns) Of(rec *Record) []Place {
	var first *Field
	if len(rec.Fields) > 0 {
		first = &rec.Fields[0]
	}
	if c.places != nil && first == c.last {
		return c.places
	}
	places, ok := c.known[first]
	if !ok {
		places = make([]Place, len(c.names))
		for i, name := range c.names {
			places[i] = Locate(rec.Fields, name)
		}
		if len(c.known) >= maxKnownFormats {
			clear(c.known)
		}
		c.known[first] = places
	}
	c.last, c.places = first, places
	return places
}
