package query

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// putTogether adds pending groups to the answer one by one, within its limits.
func (a *Answer) putTogether(p *pending) error {
	for i := range p.shards {
		err := p.each(i, func(key []byte, hash, text uint64, count int64) error {
			g := a.groups.shard(hash).get(key, hash)
			if g == nil {
				var ok bool
				if g, ok = a.groups.add(key, hash, 0); !ok {
					return a.tooMany()
				}
			}
			g.text |= text
			a.groups.count(g, count)
			return nil
		})
		if err != nil {
			return err
		}
		p.shards[i] = nil
	}
	p.bytes = 0
	return nil
}

// putAllTogether sets the answer's groups, of which it has none yet, to the pending ones, which
// must be within its limits. If only the most frequent groups are needed, others may be omitted.
// The keys remain in the memory of pending.
func (a *Answer) putAllTogether(all []*pending) {
	var next atomic.Int32
	var wait sync.WaitGroup
	var bytes [groupShards]int
	rare := &rareGroups{}
	if a.byCount() {
		rare.wanted = a.question.Limit
	}
	for range all {
		wait.Go(func() {
			var t gathering
			for i := int(next.Add(1)) - 1; i < groupShards; i = int(next.Add(1)) - 1 {
				t.reset()
				for _, p := range all {
					_ = p.each(i, t.add)
				}
				bytes[i] = t.store(&a.groups.shards[i], rare.below(t.groups))
			}
		})
	}
	wait.Wait()
	for i := range groupShards {
		a.groups.bytes += bytes[i]
		a.groups.n += a.groups.shards[i].n
	}
}

// byCount reports whether only the first rows of the answer are needed, and are the most frequent
// groups.
func (a *Answer) byCount() bool {
	if a.question.Limit <= 0 || len(a.keys) == 0 {
		return false
	}
	columns, keys := a.question.columns()
	o := a.order(columns, keys)
	return o.Column == countColumn && o.Descending && columns[keys] == o.Column
}

// gathering is a hash table of the groups of one shard.
type gathering struct {
	slots  []int32 // index + 1 of a group, by its hash; the length is a power of two
	groups []gathered
}

type gathered struct {
	hash, text uint64
	key        string
	count      int64
}

func (t *gathering) reset() {
	clear(t.slots)
	t.groups = t.groups[:0]
}

func (t *gathering) add(key []byte, hash, text uint64, count int64) error {
	if 2*len(t.groups) >= len(t.slots) {
		t.slots = make([]int32, max(2*len(t.slots), 1024))
		for i := range t.groups {
			t.slots[t.place(t.groups[i].hash, "")] = int32(i + 1)
		}
	}
	name := unsafe.String(unsafe.SliceData(key), len(key))
	at := t.place(hash, name)
	if t.slots[at] == 0 {
		t.groups = append(t.groups, gathered{hash, text, name, count})
		t.slots[at] = int32(len(t.groups))
		return nil
	}
	g := &t.groups[t.slots[at]-1]
	g.count += count
	g.text |= text
	return nil
}

// place returns the slot of a key, or the empty slot for it.
func (t *gathering) place(hash uint64, key string) int {
	mask := len(t.slots) - 1
	at := int(hash) & mask
	for t.slots[at] != 0 {
		if g := &t.groups[t.slots[at]-1]; g.hash == hash && g.key == key {
			break
		}
		at = (at + 1) & mask
	}
	return at
}

// store sets the groups of a shard to those with a count of at least least, and returns the size of
// their memory.
func (t *gathering) store(s *groupShard, least int64) (bytes int) {
	kept := 0
	for i := range t.groups {
		if t.groups[i].count >= least {
			kept++
		}
	}
	slots := 4
	for slots < 2*(kept+1) {
		slots *= 2
	}
	s.grow(slots)
	groups := make([]group, 0, kept)
	for i := range t.groups {
		if g := &t.groups[i]; g.count >= least {
			groups = append(groups, group{key: g.key, hash: g.hash, count: g.count, text: g.text})
			s.insert(&groups[len(groups)-1])
			bytes += len(g.key) + groupBytes
		}
	}
	return bytes
}

// rareGroups calculates a lower bound of the counts of the wanted most frequent groups: if one
// shard has wanted groups with at least this count, no group with a smaller count is among the most
// frequent.
type rareGroups struct {
	wanted int // 0: all groups are needed
	mu     sync.Mutex
	least  int64
	counts []int64
}

// below returns the bound after the groups of one more shard.
func (r *rareGroups) below(groups []gathered) int64 {
	if r.wanted == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = r.counts[:0]
	for i := range groups {
		if n := groups[i].count; n > r.least {
			r.counts = append(r.counts, n)
		}
	}
	if len(r.counts) >= r.wanted {
		slices.Sort(r.counts)
		r.least = r.counts[len(r.counts)-r.wanted]
	}
	return r.least
}
