package history

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"sluice/ingest/segment/vfs"
)

// Change is a change of a host's state.
type Change struct {
	At     time.Time
	Level  Level
	Reason string // "" for Okay; cut to maxReasonBytes
	number uint64 // sequence number of the host's changes, from 1
}

const (
	changeSlots    = 256
	changeBytes    = 256
	maxReasonBytes = changeBytes - 8 - 8 - 1 - 1 - 4
)

// put writes number, time, level and reason, and their checksum.
func (c *Change) put(b *[changeBytes]byte) {
	*b = [changeBytes]byte{}
	binary.BigEndian.PutUint64(b[0:], c.number)
	binary.BigEndian.PutUint64(b[8:], uint64(c.At.Unix()))
	b[16] = byte(c.Level)
	reason := cut(c.Reason)
	b[17] = byte(copy(b[18:changeBytes-4], reason))
	binary.BigEndian.PutUint32(b[changeBytes-4:], crc32.Checksum(b[:changeBytes-4], castagnoli))
}

// cut returns text as valid UTF-8, cut to maxReasonBytes.
func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxReasonBytes)], "") }

// get decodes a record. It returns false if there is no valid one.
func (c *Change) get(b *[changeBytes]byte) bool {
	if binary.BigEndian.Uint32(b[changeBytes-4:]) != crc32.Checksum(b[:changeBytes-4], castagnoli) {
		return false
	}
	n := int(b[17])
	*c = Change{number: binary.BigEndian.Uint64(b[0:]), At: time.Unix(int64(binary.BigEndian.Uint64(b[8:])), 0), Level: min(Level(b[16]), Error)}
	if n > maxReasonBytes || c.number == 0 {
		return false
	}
	c.Reason = cut(string(b[18 : 18+n]))
	return true
}

// readChanges reads all changes, the oldest first.
func readChanges(f vfs.File) ([]Change, error) {
	b := make([]byte, changeSlots*changeBytes)
	if _, err := f.ReadAt(b, changesOffset); err != nil {
		return nil, err
	}
	var changes []Change
	for i := range changeSlots {
		var c Change
		if c.get((*[changeBytes]byte)(b[i*changeBytes:])) && c.number%changeSlots == uint64(i) {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.number, b.number) })
	return changes, nil
}

func writeChange(f vfs.File, c *Change) error {
	var b [changeBytes]byte
	c.put(&b)
	_, err := f.WriteAt(b[:], changesOffset+int64(c.number%changeSlots)*changeBytes)
	return err
}
