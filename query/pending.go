package query

import "hash/maphash"

// pending are groups of batches that were counted and not put together yet: what a worker
// does where groups are all that is asked for. Each batch has most of its groups once, so
// that looking each up in a table that does not fit into a processor's cache is most of the
// work, and memory that is touched for the first time the rest. Put together at the end,
// shard by shard, the table at hand fits, no two workers have the same group, and of groups
// that are not wanted nothing is kept.
type pending struct {
	bytes  int // at most what the groups will take
	shards [groupShards][]pendingBlock
}

// pendingBlock are some groups of a shard.
type pendingBlock struct {
	groups []pendingGroup
	keys   []byte
}

type pendingGroup struct {
	hash uint64
	end  uint32 // of its key, which begins where that of the group before ends
	bits uint32 // the count, and above it the text of group
}

const (
	// A batch has at most 1<<20 rows, so the count of one of its groups leaves bits for
	// which of its keys are no numbers.
	pendingCountBits = 24
	maxPendingKeys   = 32 - pendingCountBits

	// directGroups is how many groups are put together as they come: so many fit into the
	// cache.
	directGroups = 8192

	minPendingBytes = 4 << 10 // of keys in a block
	maxPendingBytes = 64 << 10
)

// add adds a group.
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

// each yields the groups of a shard.
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
