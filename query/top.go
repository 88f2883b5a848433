package query

import (
	"cmp"
	"container/heap"
	"slices"

	"sluice/schema"
)

const (
	// DefaultTopBytes bounds the memory of a Top: some million short values.
	DefaultTopBytes = 128 << 20
	// counterBytes is what a counter takes beside its value: itself, its place in
	// the heap and in the map.
	counterBytes = 120
)

// Top counts the values of a field. Its memory is bounded: while the different
// values fit, the counts are exact; from then on a new value takes the room and
// the count of the rarest (space saving, Metwally et al. 2005), so that what is
// frequent stays, with a known bound on how much too high its count can be.
type Top struct {
	field    string
	n        int
	maxBytes int
	columns  *schema.Columns
	buf      []byte

	nulls    int64
	counters map[string]*counter
	bytes    int
	// floor is the highest count ever displaced, 0 while all is exact. Then rarest
	// is in use: the counters as a heap, the rarest first.
	floor  int64
	rarest counterHeap
}

type counter struct {
	value         string
	number        bool
	count, excess int64
	index         int // in the heap
}

// NewTop counts the values of a field to report the n most frequent, in about
// maxBytes of memory (DefaultTopBytes where 0).
func NewTop(field string, n, maxBytes int) *Top {
	if maxBytes <= 0 {
		maxBytes = DefaultTopBytes
	}
	return &Top{field: field, n: n, maxBytes: maxBytes, columns: schema.NewColumns([]string{field}), counters: make(map[string]*counter)}
}

// Add implements [Summary]; it never fails.
func (t *Top) Add(e *schema.Entry) error {
	p := t.columns.Of(e.Record)[0]
	if e.Null(p) {
		t.nulls++
		return nil
	}
	value := e.Text(p, &t.buf)
	if c := t.counters[string(value)]; c != nil {
		c.count++
		if t.floor > 0 {
			heap.Fix(&t.rarest, c.index)
		}
		return nil
	}
	t.displace(len(value))
	c := &counter{value: string(value), number: p.Kind == schema.Int, count: t.floor + 1, excess: t.floor}
	t.counters[c.value] = c
	t.bytes += len(value) + counterBytes
	if t.floor > 0 {
		heap.Push(&t.rarest, c)
	}
	return nil
}

// displace makes room for a value of so many bytes.
func (t *Top) displace(length int) {
	for t.bytes+length+counterBytes > t.maxBytes && len(t.counters) > 0 {
		if t.floor == 0 {
			for _, c := range t.counters {
				c.index = len(t.rarest)
				t.rarest = append(t.rarest, c)
			}
			heap.Init(&t.rarest)
		}
		c := heap.Pop(&t.rarest).(*counter)
		delete(t.counters, c.value)
		t.bytes -= len(c.value) + counterBytes
		t.floor = max(t.floor, c.count)
	}
}

// Report implements [Summary]: the most frequent first, null among them; what is
// as frequent in the order of the values.
func (t *Top) Report() Report {
	groups := make([]Group, 0, len(t.counters)+1)
	for _, c := range t.counters {
		groups = append(groups, Group{Value: c.value, Number: c.number, Count: c.count, Excess: c.excess})
	}
	if t.nulls > 0 {
		groups = append(groups, Group{Null: true, Count: t.nulls})
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	groups = slices.Clone(groups[:min(t.n, len(groups))])
	return Report{Key: t.field, Groups: groups, Approximate: t.floor > 0, Floor: t.floor}
}

type counterHeap []*counter

func (h counterHeap) Len() int           { return len(h) }
func (h counterHeap) Less(i, j int) bool { return h[i].count < h[j].count }
func (h counterHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *counterHeap) Push(x any) {
	c := x.(*counter)
	c.index = len(*h)
	*h = append(*h, c)
}

// Pop implements [heap.Interface].
func (h *counterHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return c
}
