package history

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// Level is the state of a host, from best to worst.
type Level uint8

// The levels.
const (
	Okay Level = iota
	Warn
	Error
)

// String returns the word that /health uses.
func (l Level) String() string {
	switch l {
	case Okay:
		return "OKAY"
	case Warn:
		return "WARN"
	}
	return "ERROR"
}

// Governor is how far reading is limited on a host, from least to most.
type Governor uint8

// The states of a governor.
const (
	GovernorUnknown Governor = iota
	GovernorFree
	GovernorLimited
	GovernorPaused
)

// Classes is the number of classes of HTTP statuses: index 0 is every line without a status from
// 200 to 599, 1 is 2xx, 4 is 5xx.
const Classes = 5

// Sample is the traffic and state of a host in 1 or 15 minutes.
type Sample struct {
	// ByClass counts the received lines by the class of their status.
	ByClass            [Classes]int64
	Bytes, ParseErrors int64
	// UntabledSeconds is the greatest age of the oldest line that was not in the table,
	// UnstoredSeconds of the oldest that was not in both table and archive.
	UntabledSeconds, UnstoredSeconds int64
	// UnreadBytes is the greatest number of bytes in the logs that were not read.
	UnreadBytes int64
	// The worst of the time.
	Governor Governor
	Level    Level
	// Covered is the number of observed seconds of a minute, or minutes of a quarter of an hour.
	// 0: there is no sample.
	Covered uint8
}

// Lines returns the number of received lines.
func (s *Sample) Lines() (n int64) {
	for _, c := range s.ByClass {
		n += c
	}
	return n
}

// Add adds the counts of x and takes the worse of ages and states. It does not change Covered,
// whose unit only the caller knows.
func (s *Sample) Add(x *Sample) {
	for i, n := range x.ByClass {
		s.ByClass[i] += n
	}
	s.Bytes += x.Bytes
	s.ParseErrors += x.ParseErrors
	s.UntabledSeconds = max(s.UntabledSeconds, x.UntabledSeconds)
	s.UnstoredSeconds = max(s.UnstoredSeconds, x.UnstoredSeconds)
	s.UnreadBytes = max(s.UnreadBytes, x.UnreadBytes)
	s.Governor = max(s.Governor, x.Governor)
	s.Level = max(s.Level, x.Level)
}

const (
	recordBytes = 20
	sumBytes    = 3
	bodyBytes   = recordBytes - sumBytes
	// A number has 12 bits: 7 for the mantissa after its leading 1, 5 for the exponent.
	numberBits   = 12
	mantissaBits = 7
	maxShift     = 30
)

// number rounds v to 12 bits. A value that is too large becomes the largest number.
func number(v int64) uint16 {
	if v < 1<<mantissaBits {
		return uint16(max(v, 0))
	}
	shift := bits.Len64(uint64(v)) - mantissaBits - 1
	if shift > 0 {
		v = (v + 1<<(shift-1)) >> shift // may round up to one bit more
		if v == 1<<(mantissaBits+1) {
			v, shift = v>>1, shift+1
		}
	}
	if shift > maxShift {
		return 1<<numberBits - 1
	}
	return uint16(shift+1)<<mantissaBits | uint16(v-1<<mantissaBits)
}

// value decodes a number of 12 bits.
func value(n uint16) int64 {
	mantissa := int64(n) & (1<<mantissaBits - 1)
	if shift := int(n >> mantissaBits); shift > 0 {
		return (mantissa + 1<<mantissaBits) << (shift - 1)
	}
	return mantissa
}

// numbers returns the numbers of a record, in order. The last one is the flags.
func (s *Sample) numbers() [bodyBytes * 8 / numberBits]uint16 {
	flags := uint16(s.Governor&3) | uint16(s.Level&3)<<2 | uint16(min(s.Covered, 63))<<4
	return [...]uint16{
		number(s.ByClass[0]), number(s.ByClass[1]), number(s.ByClass[2]), number(s.ByClass[3]), number(s.ByClass[4]),
		number(s.Bytes), number(s.ParseErrors), number(s.UntabledSeconds), number(s.UnstoredSeconds), number(s.UnreadBytes), flags,
	}
}

// put encodes the sample of a slot, which is the Unix time divided by the table's step.
func (s *Sample) put(b *[recordBytes]byte, t *table, slot int64) {
	*b = [recordBytes]byte{}
	for i, n := range s.numbers() {
		at := i * numberBits
		// The 12 bits are in two bytes, from a whole byte or from its middle on.
		n <<= 4 - at%8
		b[at/8] |= byte(n >> 8)
		b[at/8+1] |= byte(n)
	}
	sum := recordSum(b[:bodyBytes], t, slot)
	b[bodyBytes], b[bodyBytes+1], b[bodyBytes+2] = byte(sum>>16), byte(sum>>8), byte(sum)
}

// get decodes a record. It returns false if there is no valid record of that slot.
func (s *Sample) get(b *[recordBytes]byte, t *table, slot int64) bool {
	sum := recordSum(b[:bodyBytes], t, slot)
	if b[bodyBytes] != byte(sum>>16) || b[bodyBytes+1] != byte(sum>>8) || b[bodyBytes+2] != byte(sum) {
		return false
	}
	var n [bodyBytes * 8 / numberBits]uint16
	for i := range n {
		at := i * numberBits
		n[i] = binary.BigEndian.Uint16(b[at/8:]) >> (4 - at%8) & (1<<numberBits - 1)
	}
	for i := range s.ByClass {
		s.ByClass[i] = value(n[i])
	}
	s.Bytes, s.ParseErrors = value(n[5]), value(n[6])
	s.UntabledSeconds, s.UnstoredSeconds, s.UnreadBytes = value(n[7]), value(n[8]), value(n[9])
	flags := n[10]
	s.Governor, s.Level, s.Covered = Governor(flags&3), min(Level(flags>>2&3), Error), uint8(flags>>4&63)
	return s.Covered > 0
}

// recordSum returns the checksum of a record: CRC-32C of the body, the table and the slot, cut to
// 24 bits. An old record is taken for a present one with a probability of 1 in 16 million.
func recordSum(body []byte, t *table, slot int64) uint32 {
	var place [9]byte
	place[0] = t.kind
	binary.BigEndian.PutUint64(place[1:], uint64(slot))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, body) & (1<<24 - 1)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
