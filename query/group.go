package query

import (
	"container/heap"
	"encoding/binary"
	"hash/maphash"
	"strings"
	"unsafe"
)

const (
	// groupBytes is the memory of a group without its key and measures: the struct, and its slots
	// in map and heap.
	groupBytes = 160
	// measuredBytes is the memory of a measured field in each group.
	measuredBytes = 64
)

// group is the aggregate of the entries with the same values of the keys.
type group struct {
	key           string // see appendKey
	hash          uint64
	count, excess int64
	text          uint64 // bit i: key i is not a number, or was missing in one of the entries
	measured      []measured
	index         int // in the heap
}

// measured is a group's state for one field; what no measure needs is nil.
type measured struct {
	numbers  *numbers
	values   *values
	distinct *distinct
}

// appendKey appends the value of one key: 0 for null, otherwise its length plus one and the value.
func appendKey(dst, value []byte, null bool) []byte {
	if null {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(value))+1), value...)
}

// A value of a key that can be a span of time begins with one of these, to distinguish a format's
// own field called hour from the span.
const (
	ownValue  = 0
	spanValue = 1
)

// appendSpan appends the span of a time.
func appendSpan(dst []byte, s *spanner, nanos int64, dated bool) []byte {
	if !dated {
		return append(dst, 0)
	}
	return appendSpanNumber(dst, s.of(nanos))
}

// appendSpanNumber appends the number so that the bytes sort like the numbers.
func appendSpanNumber(dst []byte, number int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 10, spanValue), uint64(number)^1<<63)
}

// spanNumber returns the number of a value of appendSpanNumber.
func spanNumber(value string) int64 {
	return int64(binary.BigEndian.Uint64([]byte(value[1:])) ^ 1<<63)
}

// appendOwn appends the value of a format's own field.
func appendOwn(dst, value []byte) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(len(value))+2), ownValue)
	return append(dst, value...)
}

// cutKey splits the first value off a group's key.
func cutKey(key string) (value string, null bool, rest string) {
	length, shift := uint64(0), 0
	for i := 0; ; i++ {
		length |= uint64(key[i]&0x7f) << shift
		if shift += 7; key[i] < 0x80 {
			key = key[i+1:]
			break
		}
	}
	if length == 0 {
		return "", true, key
	}
	return key[:length-1], false, key[length-1:]
}

// groups are the groups of an answer, in bounded memory: hash tables with open addressing, as there
// can be a group for every other row.
type groups struct {
	maxBytes int
	bytes    int
	seed     maphash.Seed
	shards   [groupShards]groupShard // by the first bits of the hash
	n        int
	dropped  []*group
	// evict means that at the bound the rarest group is replaced by a new one, which inherits its
	// count (space saving, Metwally et al. 2005): frequent groups remain, with a known bound of the
	// error of their counts.
	evict  bool
	floor  int64      // the highest count that was ever replaced, 0 while all is exact
	rarest groupsHeap // in use when floor > 0
}

const (
	shardBits   = 6
	groupShards = 1 << shardBits
)

// groupShard is one of the tables. Different shards may be used concurrently.
type groupShard struct {
	slots   []groupSlot // a power of two
	n       int
	unused  []group // groups are allocated many at a time
	text    []byte  // and so are their keys, until the first group is replaced
	atATime int
}

type groupSlot struct {
	hash uint64
	*group
}

func (s *groups) shard(hash uint64) *groupShard { return &s.shards[hash>>(64-shardBits)] }

// get returns the group of a key, or nil, and the key's hash.
func (s *groups) get(key []byte) (*group, uint64) {
	hash := maphash.Bytes(s.seed, key)
	return s.shard(hash).get(key, hash), hash
}

func (s *groupShard) get(key []byte, hash uint64) *group {
	if len(s.slots) == 0 {
		return nil
	}
	mask := uint64(len(s.slots) - 1)
	for at := hash & mask; s.slots[at].group != nil; at = (at + 1) & mask {
		if slot := &s.slots[at]; slot.hash == hash && slot.key == string(key) {
			return slot.group
		}
	}
	return nil
}

// add adds a group with a new key; false if it exceeds the memory.
func (s *groups) add(key []byte, hash uint64, size int) (*group, bool) {
	size += len(key) + groupBytes
	for s.evict && s.bytes+size > s.maxBytes && s.n > 0 {
		s.dropRarest()
	}
	if s.bytes+size > s.maxBytes && !s.evict {
		return nil, false
	}
	shard := s.shard(hash)
	var g *group
	if n := len(s.dropped); n > 0 {
		g, s.dropped = s.dropped[n-1], s.dropped[:n-1]
	} else {
		g = shard.unusedGroup()
	}
	text := ""
	if s.floor > 0 {
		text = string(key)
	} else {
		text = shard.keep(key)
	}
	*g = group{key: text, hash: hash, count: s.floor, excess: s.floor}
	s.bytes += size
	s.insert(g)
	if s.floor > 0 {
		heap.Push(&s.rarest, g)
	}
	return g, true
}

const (
	groupsAtATime = 64
	keyBytes      = 64 << 10
)

// keep returns a copy of a key.
func (s *groupShard) keep(key []byte) string {
	if len(key) == 0 || len(key) > keyBytes/4 {
		return string(key)
	}
	if len(key) > cap(s.text)-len(s.text) {
		s.text = make([]byte, 0, min(max(2*cap(s.text), 4*len(key)), keyBytes))
	}
	n := len(s.text)
	s.text = append(s.text, key...)
	return unsafe.String(&s.text[n], len(key)) // the appended bytes do not change
}

func (s *groupShard) unusedGroup() *group {
	if len(s.unused) == 0 {
		s.atATime = min(2*s.atATime+1, groupsAtATime)
		s.unused = make([]group, s.atATime)
	}
	g := &s.unused[0]
	s.unused = s.unused[1:]
	return g
}

// insert puts a group into its table.
func (s *groups) insert(g *group) {
	s.shard(g.hash).insert(g)
	s.n++
}

func (s *groupShard) insert(g *group) {
	if 2*(s.n+1) > len(s.slots) {
		s.grow(2 * len(s.slots))
	}
	s.place(groupSlot{g.hash, g})
	s.n++
}

// grow sets the number of slots, a power of two.
func (s *groupShard) grow(slots int) {
	old := s.slots
	s.slots = make([]groupSlot, max(slots, 4))
	for _, slot := range old {
		if slot.group != nil {
			s.place(slot)
		}
	}
}

func (s *groupShard) place(slot groupSlot) {
	mask := uint64(len(s.slots) - 1)
	at := slot.hash & mask
	for s.slots[at].group != nil {
		at = (at + 1) & mask
	}
	s.slots[at] = slot
}

// remove removes a group from its table; those after it move up.
func (s *groupShard) remove(g *group) {
	mask := uint64(len(s.slots) - 1)
	at := g.hash & mask
	for s.slots[at].group != g {
		at = (at + 1) & mask
	}
	for next := (at + 1) & mask; s.slots[next].group != nil; next = (next + 1) & mask {
		if home := s.slots[next].hash & mask; (next-home)&mask >= (next-at)&mask {
			s.slots[at] = s.slots[next]
			at = next
		}
	}
	s.slots[at] = groupSlot{}
	s.n--
}

// all yields the groups in no particular order.
func (s *groups) all(yield func(*group) bool) {
	for i := range s.shards {
		for _, slot := range s.shards[i].slots {
			if slot.group != nil && !yield(slot.group) {
				return
			}
		}
	}
}

func (s *groups) dropRarest() {
	if s.floor == 0 {
		for g := range s.all {
			g.index = len(s.rarest)
			g.key = strings.Clone(g.key) // so that one key can be freed without the others
			s.rarest = append(s.rarest, g)
		}
		for i := range s.shards {
			s.shards[i].text = nil
		}
		heap.Init(&s.rarest)
	}
	g := heap.Pop(&s.rarest).(*group)
	s.shard(g.hash).remove(g)
	s.n--
	s.bytes -= len(g.key) + groupBytes
	s.floor = max(s.floor, g.count)
	*g = group{}
	s.dropped = append(s.dropped, g)
}

// count adds to a group's count.
func (s *groups) count(g *group, n int64) {
	g.count += n
	if s.floor > 0 {
		heap.Fix(&s.rarest, g.index)
	}
}

// groupsHeap has the rarest group first.
type groupsHeap []*group

func (h groupsHeap) Len() int           { return len(h) }
func (h groupsHeap) Less(i, j int) bool { return h[i].count < h[j].count }
func (h groupsHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *groupsHeap) Push(x any) {
	g := x.(*group)
	g.index = len(*h)
	*h = append(*h, g)
}

// Pop implements [heap.Interface].
func (h *groupsHeap) Pop() any {
	last := len(*h) - 1
	g := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return g
}
