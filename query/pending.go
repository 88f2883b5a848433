package query

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unsafe"
)

// pending are groups of batches that were counted and not put together yet: what a worker
// does where groups are all that is asked for. Each batch has most of its groups once, so
// that looking each up in a table that does not fit into a processor's cache is most of the
// work. Put together at the end, shard by shard, the table at hand fits, and no two workers
// have the same group.
type pending struct {
	bytes  int // at most what the groups will take
	shards [groupShards]pendingShard
}

// pendingShard are the groups of one of the tables.
type pendingShard struct {
	groups []pendingGroup
	keys   []byte
}

type pendingGroup struct {
	hash  uint64
	text  uint64
	count uint32
	end   uint32 // of its key, which begins where that of the group before ends
}

// add adds a group of a batch.
func (p *pending) add(seed maphash.Seed, key []byte, text uint64, count int64) {
	hash := maphash.Bytes(seed, key)
	s := &p.shards[hash>>(64-shardBits)]
	s.keys = append(s.keys, key...)
	s.groups = append(s.groups, pendingGroup{hash, text, uint32(count), uint32(len(s.keys))})
	p.bytes += len(key) + groupBytes
}

// each calls fn with the groups of a shard, until it fails.
func (s *pendingShard) each(fn func(key []byte, g *pendingGroup) error) error {
	start := uint32(0)
	for i := range s.groups {
		g := &s.groups[i]
		if err := fn(s.keys[start:g.end:g.end], g); err != nil {
			return err
		}
		start = g.end
	}
	return nil
}

// putTogether adds pending groups to an answer one by one, within its bounds.
func (a *Answer) putTogether(p *pending) error {
	for i := range p.shards {
		err := p.shards[i].each(func(key []byte, pending *pendingGroup) error {
			g, hash := a.groups.shard(pending.hash).get(key, pending.hash), pending.hash
			if g == nil {
				var ok bool
				if g, ok = a.groups.add(key, hash, 0); !ok {
					return a.tooMany()
				}
			}
			g.text |= pending.text
			a.groups.count(g, int64(pending.count))
			return nil
		})
		if err != nil {
			return err
		}
		p.shards[i] = pendingShard{}
	}
	p.bytes = 0
	return nil
}

// putAllTogether adds pending groups that fit within the answer's bounds for certain, by
// so many goroutines. Their keys stay where they are.
func (a *Answer) putAllTogether(all []*pending, workers int) {
	var next atomic.Int32
	var wait sync.WaitGroup
	var bytes, n [groupShards]int
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < groupShards; i = int(next.Add(1)) - 1 {
				shard := &a.groups.shards[i]
				before := shard.n
				for _, p := range all {
					bytes[i] += shard.addPending(&p.shards[i])
				}
				n[i] = shard.n - before
			}
		})
	}
	wait.Wait()
	for i := range groupShards {
		a.groups.bytes += bytes[i]
		a.groups.n += n[i]
	}
}

// addPending returns by how many bytes the memory grew.
func (s *groupShard) addPending(p *pendingShard) (grown int) {
	_ = p.each(func(key []byte, pending *pendingGroup) error {
		g := s.get(key, pending.hash)
		if g == nil {
			g = s.unusedGroup()
			*g = group{key: unsafe.String(unsafe.SliceData(key), len(key)), hash: pending.hash}
			s.insert(g)
			grown += len(key) + groupBytes
		}
		g.count += int64(pending.count)
		g.text |= pending.text
		return nil
	})
	return grown
}
