package schema

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// The key of typed and packed, 23 bytes:
//
//	salt 1 | event time, ns since 1970 8 | stream id 8 | offset 6
//
// and the flume key, text, sorted by time alone like that of a Flume 0.9 attr2hbase sink, with the
// line's position after it so that two lines of one moment have different keys:
//
//	<19 decimal digits of ns>:<16 hex of the stream>:<12 hex of the offset>
//
// Both depend only on the line's time and position, so writing a line again writes the same row.
const (
	saltedKeyBytes = 23
	flumeKeyBytes  = 19 + 1 + 16 + 1 + 12
	maxSalts       = 254
	// directorySalt is the salt byte of the stream directory: after every row.
	directorySalt = 0xff
	// flumeDirectory starts the keys of the stream directory in a flume table: after every digit.
	flumeDirectory = "stream:"
	// chunkBits is log2 of the size of a chunk; successive chunks of a stream have successive
	// salts.
	chunkBits = 16
	// MaxOffset is the largest offset in a key.
	MaxOffset = 1<<48 - 1
)

// salt is the region of a line: a stream's chunks of 64 KiB are assigned round-robin, so that a
// batch goes to one or two regions, and a load in time order to all.
func (l Layout) salt(id StreamID, offset int64) byte {
	return byte((uint64(id) + uint64(offset)>>chunkBits) % uint64(l.Salts))
}

// AppendKey appends the row key of the line at offset of a stream.
func (l Layout) AppendKey(dst []byte, time int64, id StreamID, offset int64) []byte {
	if l.Name == LayoutFlume {
		return appendFlumeKey(dst, time, id, offset)
	}
	var k [saltedKeyBytes + 2]byte
	k[0] = l.salt(id, offset)
	binary.BigEndian.PutUint64(k[1:], uint64(time))
	binary.BigEndian.PutUint64(k[9:], uint64(id))
	binary.BigEndian.PutUint64(k[17:], uint64(offset)<<16)
	return append(dst, k[:saltedKeyBytes]...)
}

func appendFlumeKey(dst []byte, time int64, id StreamID, offset int64) []byte {
	var digits [19]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + time%10)
		time /= 10
	}
	dst = append(append(dst, digits[:]...), ':')
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	dst = append(hex.AppendEncode(dst, b[:]), ':')
	binary.BigEndian.PutUint64(b[:], uint64(offset))
	return hex.AppendEncode(dst, b[2:])
}

// ParseKey sets row's Time, Stream and Offset from its Key.
func (l Layout) ParseKey(row *Row) error {
	k := row.Key
	if l.Name == LayoutFlume {
		return parseFlumeKey(row)
	}
	if len(k) != saltedKeyBytes {
		return fmt.Errorf("%w: a row key of %d bytes, not %d: %x", errLayout, len(k), saltedKeyBytes, k)
	}
	row.Time = int64(binary.BigEndian.Uint64(k[1:]))
	row.Stream = StreamID(binary.BigEndian.Uint64(k[9:]))
	row.Offset = int64(binary.BigEndian.Uint64(k[15:]) & MaxOffset)
	return nil
}

func parseFlumeKey(row *Row) error {
	k := row.Key
	if len(k) == flumeKeyBytes && k[19] == ':' && k[36] == ':' {
		time, err1 := strconv.ParseInt(string(k[:19]), 10, 64)
		id, err2 := strconv.ParseUint(string(k[20:36]), 16, 64)
		offset, err3 := strconv.ParseInt(string(k[37:]), 16, 64)
		if err1 == nil && err2 == nil && err3 == nil {
			row.Time, row.Stream, row.Offset = time, StreamID(id), offset
			return nil
		}
	}
	return fmt.Errorf("%w: row key %q is not <nanos>:<stream>:<offset>", errLayout, k)
}

// KeyRange is the keys Start <= key < Stop.
type KeyRange struct{ Start, Stop []byte }

// Ranges returns the key ranges of the rows with from <= time < to, one for each salt, in the order
// of the salts. to <= 0 is no limit.
func (l Layout) Ranges(from, to int64) []KeyRange {
	if l.Name == LayoutFlume {
		r := KeyRange{appendFlumeKey(nil, from, 0, 0)[:19], []byte(":")} // ':' sorts after the digits
		if to > 0 {
			r.Stop = appendFlumeKey(nil, to, 0, 0)[:19]
		}
		return []KeyRange{r}
	}
	ranges := make([]KeyRange, l.Salts)
	for salt := range ranges {
		ranges[salt].Start = binary.BigEndian.AppendUint64([]byte{byte(salt)}, uint64(from))
		if to > 0 {
			ranges[salt].Stop = binary.BigEndian.AppendUint64([]byte{byte(salt)}, uint64(to))
		} else {
			ranges[salt].Stop = []byte{byte(salt + 1)}
		}
	}
	return ranges
}

// SplitKeys are the keys at which a new table is split: one region for each salt, and one for the
// stream directory.
func (l Layout) SplitKeys() [][]byte {
	var keys [][]byte
	for salt := 1; salt < l.Salts; salt++ {
		keys = append(keys, []byte{byte(salt)})
	}
	if l.Salts > 0 {
		keys = append(keys, []byte{directorySalt})
	}
	return keys
}

// SpareKeys are keys that no line and no stream has, and no scan returns, one in each region that a
// new table has for lines, to check whether a row can be written. In a typed table they are before
// the first time of their salt.
func (l Layout) SpareKeys() [][]byte {
	if l.Name == LayoutFlume {
		return [][]byte{[]byte("doctor")} // between the digits and the directory
	}
	keys := make([][]byte, l.Salts)
	for salt := range keys {
		keys[salt] = []byte{byte(salt), 0, 0, 0}
	}
	return keys
}

// DirectoryRange is the key range of the stream directory.
func (l Layout) DirectoryRange() KeyRange {
	if l.Name == LayoutFlume {
		return KeyRange{[]byte(flumeDirectory), []byte("stream;")}
	}
	return KeyRange{[]byte{directorySalt}, nil}
}

// directoryKey is the key of a stream's own row.
func (l Layout) directoryKey(dst []byte, id StreamID) []byte {
	if l.Name == LayoutFlume {
		return append(append(dst, flumeDirectory...), id.String()...)
	}
	var k [saltedKeyBytes]byte
	k[0] = directorySalt
	binary.BigEndian.PutUint64(k[9:], uint64(id))
	return append(dst, k[:]...)
}
