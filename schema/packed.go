package schema

import (
	"encoding/binary"
	"encoding/json"
	"strings"
)

const (
	// packedQualifier is the qualifier of the packed layout's only cell.
	packedQualifier = "record"
	// packedRecord is the name of its Avro record.
	packedRecord = "sluice.Access"

	// packedHeadBytes: C3 01, the marker of Avro's single-object encoding, and the
	// writer schema's fingerprint, 8 bytes, little-endian.
	packedHeadBytes = 2 + 8
)

var packedMarker = [2]byte{0xc3, 0x01}

// packedFields are the fields of the packed record of a format: those of AvroFields with logbody
// first, so that it can be found without the schema.
func packedFields(fields []Field) []Field {
	columns := AvroFields(fields)
	return append([]Field{{Name: LogbodyField}}, columns[:len(columns)-1]...)
}

// PackedSchema returns the writer schema of a format's packed records. The error wraps errAvro if
// two of the fields have the same name in Avro.
func PackedSchema(fields []Field) (string, error) {
	return AvroSchema(packedRecord, packedFields(fields))
}

// packer encodes the packed records of one format.
type packer struct {
	head  [packedHeadBytes]byte
	avro  *AvroEncoder
	entry Entry
}

func newPacker(s *Stream, fields []Field) *packer {
	columns := packedFields(fields)
	p := &packer{avro: NewAvroEncoder(columns), entry: Entry{Stream: s}}
	copy(p.head[:], packedMarker[:])
	binary.LittleEndian.PutUint64(p.head[2:], avroFingerprint(canonicalAvro(packedRecord, columns)))
	return p
}

// append adds the record's cell.
func (p *packer) append(rows *Rows, offset int64, rec *Record) {
	p.entry.Offset, p.entry.Record = offset, rec
	start := len(rows.arena)
	rows.arena = p.avro.Append(append(rows.arena, p.head[:]...), &p.entry)
	rows.cells = append(rows.cells, Cell{packedQualifier, rows.arena[start:len(rows.arena):len(rows.arena)], 0})
}

// packedLine returns the logbody of a packed record, its first field; false if the bytes are no
// such record.
func packedLine(record []byte) ([]byte, bool) {
	if len(record) < packedHeadBytes || [2]byte(record) != packedMarker {
		return nil, false
	}
	rest := record[packedHeadBytes:]
	n, used := binary.Varint(rest) // Avro's long: zigzag, seven bits a byte
	if used <= 0 || n < 0 || n > int64(len(rest)-used) {
		return nil, false
	}
	return rest[used : used+int(n) : used+int(n)], true
}

// canonicalAvro returns the schema of AvroSchema in Avro's Parsing Canonical Form: names and types
// only, in a fixed order.
func canonicalAvro(name string, fields []Field) []byte {
	var b strings.Builder
	quote := func(s string) {
		text, err := json.Marshal(s)
		if err != nil {
			panic(err) // a string
		}
		b.Write(text)
	}
	b.WriteString(`{"name":`)
	quote(name)
	b.WriteString(`,"type":"record","fields":[`)
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":`)
		quote(AvroName(f.Name))
		b.WriteString(`,"type":`)
		switch {
		case f.Name == HostField:
			b.WriteString(`"string"`)
		case f.Name == LogbodyField:
			b.WriteString(`"bytes"`)
		case f.Kind == Int || f.Kind == Time:
			b.WriteString(`["null","long"]`)
		default:
			b.WriteString(`["null","string"]`)
		}
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// avroFingerprint is CRC-64-AVRO: the Rabin fingerprint of the specification's
// chapter "Schema Fingerprints".
func avroFingerprint(canonical []byte) uint64 {
	const empty = 0xc15d213aa4d7a795
	sum := uint64(empty)
	for _, c := range canonical {
		sum ^= uint64(c)
		for range 8 {
			sum = sum>>1 ^ empty&-(sum&1)
		}
	}
	return sum
}
