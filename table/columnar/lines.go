package columnar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"sluice/schema"
)

const (
	// maxMergeBytes bounds the lines that an ordered scan holds of all its sources, maxSourceBytes
	// and minSourceBytes those of one.
	maxMergeBytes  = 32 << 20
	maxSourceBytes = 8 << 20
	minSourceBytes = 64 << 10

	// minSpanRows is the number of rows up to which a source needs no share of the memory.
	minSpanRows = 1024
)

// Line is one line of an ordered scan.
type Line struct {
	// Stream is the line's log; shared, it must not be changed.
	Stream *schema.Stream
	Offset int64
	// Time is in nanoseconds since 1970; 0 for a line without a time.
	Time int64
	// Bytes are valid until the next line is requested.
	Bytes []byte
}

// Match narrows a selection of a batch that was read with Want.Columns. It may change rows, which
// is valid until it returns. worker is a number from 0 to Workers()-1: calls with different numbers
// may run at the same time.
type Match func(worker int, b *Batch, rows Selection) Selection

// Lines yields the selected lines in the order of time, stream and offset, or in exactly the
// reverse order. If match is not nil, only rows that it selects are rebuilt as lines. It ends with
// ctx, after an error, or when the consumer stops.
func (s *Snapshot) Lines(ctx context.Context, w Want, reverse bool, match Match) iter.Seq2[*Line, error] {
	return func(yield func(*Line, error) bool) {
		m := newMerge(s, &w, reverse, match)
		ctx, cancel := context.WithCancel(ctx)
		err := m.run(ctx, func(l *Line) bool { return yield(l, nil) })
		cancel()
		if err := errors.Join(err, m.close()); err != nil {
			yield(nil, fmt.Errorf("table: scan: %w", err))
		}
	}
}

// merge merges the sorted lines of row groups and of runs of members of fresh segments. It holds
// few lines of each: a source whose first line cannot be next holds none, and loaders read the
// others on when their lines are used up, or shortly before.
type merge struct {
	snapshot *Snapshot
	want     *Want
	match    Match
	reverse  bool

	heap    []*cursor
	budget  int // bytes of lines of one load
	loaders chan *loader
	loading int    // cursors that are being loaded
	spare   []held // empty
}

func newMerge(s *Snapshot, w *Want, reverse bool, match Match) *merge {
	m := &merge{snapshot: s, want: w, match: match, reverse: reverse, loaders: make(chan *loader, Workers())}
	for worker := range cap(m.loaders) {
		m.loaders <- &loader{merge: m, worker: worker, streams: newStreamSet(w.Streams)}
	}
	return m
}

// cursor is a source with the lines that were read of it.
type cursor struct {
	source lineSource
	// bound is at most the key of the next line, if lines is empty.
	bound schema.RowOrder
	held
	at   int
	next *load // the load in progress; nil: none
}

// held is lines of a source. Its memory is reused.
type held struct {
	lines []heldLine
	text  []byte
	ended bool    // no lines follow
	moved []*part // files that have the rows of a removed file
}

type heldLine struct {
	key    schema.RowOrder
	stream *schema.Stream
	end    int // of its text, which begins at the end of the line before
}

// lineSource is a sorted source of lines.
type lineSource interface {
	// load adds lines to h, about the budget at most, and at least one unless there are no more.
	load(ctx context.Context, l *loader, h *held) error
	close() error
}

// key is the key of the cursor's next line, or its bound.
func (c *cursor) key() schema.RowOrder {
	if c.at < len(c.lines) {
		return c.lines[c.at].key
	}
	return c.bound
}

func (m *merge) less(a, b *cursor) bool { return m.before(a.key(), b.key()) }

// before reports whether a line comes before another in the order of the scan.
func (m *merge) before(a, b schema.RowOrder) bool {
	n := a.Compare(b)
	if m.reverse {
		n = -n
	}
	return n < 0
}

func (m *merge) run(ctx context.Context, yield func(*Line) bool) error {
	m.open()
	var line Line
	for n := 0; len(m.heap) > 0; n++ {
		if n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		c := m.heap[0]
		if c.at == len(c.lines) {
			if err := m.readOn(ctx, c); err != nil {
				return err
			}
			continue
		}
		h := &c.lines[c.at]
		start := 0
		if c.at > 0 {
			start = c.lines[c.at-1].end
		}
		line = Line{Stream: h.stream, Offset: h.key.Offset, Time: h.key.Time, Bytes: c.text[start:h.end:h.end]}
		if !yield(&line) {
			return nil
		}
		c.bound = h.key
		c.at++
		m.down(0)
	}
	return nil
}

// readOn loads the next lines of the first cursor; one without more lines is removed.
func (m *merge) readOn(ctx context.Context, c *cursor) error {
	if !c.ended {
		if c.next == nil {
			l := m.idle(c)
			if l == nil {
				l = <-m.loaders
			}
			m.start(ctx, c, l)
		}
		m.loadAhead(ctx)
		if err := m.finish(c); err != nil {
			return err
		}
	}
	if len(c.lines) == 0 || c.at > 0 {
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
		m.recycle(&c.held)
		if err := c.source.close(); err != nil {
			return err
		}
	}
	if len(m.heap) > 0 {
		m.down(0)
	}
	for _, p := range c.moved {
		m.pushPart(p)
	}
	m.loadAhead(ctx)
	return nil
}

// pushPart adds a cursor for each row group of a part that is wanted.
func (m *merge) pushPart(p *part) (spans []span) {
	push := func(g *groupSource, s span) {
		if g.end-g.start > minSpanRows {
			spans = append(spans, s)
		}
		m.push(&cursor{source: g, bound: s.first(m.reverse)})
	}
	for _, j := range groupJobs(p, m.want) {
		g := &p.file.Groups()[j.group]
		if m.match != nil || m.want.From > 0 || g.Undated == 0 || g.Undated == g.Rows || g.MinTime <= 0 {
			push(&groupSource{groupJob: j, end: g.Rows}, spanOf(g))
			continue
		}
		// Its rows without a time come first of all: read with the others, they would make
		// every row group one that the first lines of a scan have to wait for.
		j.part.left.Add(1)
		push(&groupSource{groupJob: j, end: g.Undated}, span{})
		j.first = false
		push(&groupSource{groupJob: j, start: g.Undated, end: g.Rows}, span{g.MinTime, g.MaxTime})
	}
	return spans
}

// down moves the cursor at i to its place.
func (m *merge) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if m.less(m.heap[child], m.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

// push adds a cursor.
func (m *merge) push(c *cursor) {
	m.heap = append(m.heap, c)
	for i := len(m.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !m.less(m.heap[i], m.heap[parent]) {
			return
		}
		m.heap[i], m.heap[parent] = m.heap[parent], m.heap[i]
		i = parent
	}
}

// open creates the cursors without reading.
func (m *merge) open() {
	var spans []span
	for _, f := range m.snapshot.fresh {
		for _, p := range f.runs(m.want) {
			spans = append(spans, anyTime)
			m.push(&cursor{source: &freshSource{run: p}, bound: anyTime.first(m.reverse)})
		}
	}
	for _, p := range m.snapshot.parts {
		spans = append(spans, m.pushPart(p)...)
	}
	m.budget = min(max(maxMergeBytes/(max(depth(spans), 1)+cap(m.loaders)), minSourceBytes), maxSourceBytes)
}

// close closes sources that were not read to their end, after the loads, whose context has ended.
func (m *merge) close() error {
	var errs []error
	for _, c := range m.heap {
		if c.next != nil {
			<-c.next.done
		}
		errs = append(errs, c.source.close())
	}
	m.heap = nil
	return errors.Join(errs...)
}

// span is the range of times of a source's rows, both ends included.
type span struct{ from, to int64 }

// anyTime is the span of a source with unknown times.
var anyTime = span{0, 1<<63 - 1}

// first is a bound of the first line in an order.
func (s span) first(reverse bool) schema.RowOrder {
	if reverse {
		return schema.RowOrder{Time: s.to, Stream: ^schema.StreamID(0), Offset: 1<<63 - 1}
	}
	return schema.RowOrder{Time: s.from}
}

func spanOf(g *GroupInfo) span {
	s := span{g.MinTime, g.MaxTime}
	if g.Undated > 0 {
		s.from = 0
	}
	if g.Undated == g.Rows {
		s.to = 0
	}
	return s
}

// depth is the maximum number of spans with a moment in common.
func depth(spans []span) int {
	type edge struct {
		at   int64
		step int
	}
	edges := make([]edge, 0, 2*len(spans))
	for _, s := range spans {
		edges = append(edges, edge{s.from, -1}, edge{s.to, 1}) // -1 is a start, and sorts first
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step)) })
	now, most := 0, 0
	for _, e := range edges {
		now -= e.step
		most = max(most, now)
	}
	return most
}
