package query

import "hash/maphash"

// pending is a worker's counted groups that are not yet in the table of groups, used if the answer
// needs only counts of groups. Most groups occur once in a batch. Looking up each of them in a
// table larger than the processor's cache takes most of the time, and touching new memory most of
// the rest. If they are added at the end, one shard at a time, the table of a shard fits into the
// cache, no two workers write to the same group, and groups that are not in the result need no
// memory.
type pending struct {
	bytes  int // upper bound of the memory that the groups will need
	shards [groupShards][]pendingBlock
}

// pendingBlock is some groups of a shard.
type pendingBlock struct {
	groups []pendingGroup
	keys   []byte
}

type pendingGroup struct {
	hash uint64
	end  uint32 // end of its key in keys, which begins at the end of the key before
	bits uint32 // the count in the low bits, group.text in the others
}

const (
	// A batch has at most 1<<20 rows, so a group's count leaves some bits for group.text: which of
	// its keys are not numbers.
	pendingCountBits = 24
	maxPendingKeys   = 32 - pendingCountBits

	// directGroups is the number of groups up to which they are added to the table immediately: so
	// many fit into the cache.
	directGroups = 8192

	minPendingBytes = 4 << 10 // capacity of a block's keys
	maxPendingBytes = 64 << 10
)

// add adds count to a group.
func (p *pending) add(seed maphash.Seed, key []byte, text uint64, count int64) {
	p.addHashed(maphash.Bytes(seed, key), key, text, count)
}

func (p *pending) addHashed(hash uint64, key []byte, text uint64, count int64) {
	blocks := &p.shards[hash>>(64-shardBits)]
	last := len(*blocks) - 1
	if last < 0 || len((*blocks)[last].keys)+len(key) > cap((*blocks)[last].keys) {
		size := minPendingBytes
		if last >= 0 {
			size = min(2*cap((*blocks)[last].keys), maxPendingBytes)
		}
		*blocks = append(*blocks, pendingBlock{keys: make([]byte, 0, max(size, len(key))), groups: make([]pendingGroup, 0, size/32)})
		last++
	}
	b := &(*blocks)[last]
	b.keys = append(b.keys, key...)
	for {
		part := min(count, 1<<pendingCountBits-1)
		b.groups = append(b.groups, pendingGroup{hash, uint32(len(b.keys)), uint32(part) | uint32(text)<<pendingCountBits})
		if count -= part; count == 0 {
			break
		}
		b.keys = append(b.keys, key...)
	}
	p.bytes += len(key) + groupBytes
}

// each calls yield for each group of a shard, which may occur several times. It ends with the first
// error of yield.
func (p *pending) each(shard int, yield func(key []byte, hash, text uint64, count int64) error) error {
	for i := range p.shards[shard] {
		b := &p.shards[shard][i]
		start := uint32(0)
		for _, g := range b.groups {
			if err := yield(b.keys[start:g.end:g.end], g.hash, uint64(g.bits>>pendingCountBits), int64(g.bits&(1<<pendingCountBits-1))); err != nil {
				return err
			}
			start = g.end
		}
	}
	return nil
}
