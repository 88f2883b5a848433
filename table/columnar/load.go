package columnar

import (
	"context"
	"sluice/schema"
)

// loader reads lines of sources, of one at a time. There is one for each processor.
type loader struct {
	merge   *merge // the selection; read only
	worker  int
	last    *cursor // whose lines it read last
	streams streamSet

	narrow, batch Batch
	fresh         freshReader
	part          Selection
}

// load reads a cursor's next lines in a goroutine of its own.
type load struct {
	held
	err  error
	done chan struct{}
}

// start starts loading the cursor's next lines.
func (m *merge) start(ctx context.Context, c *cursor, l *loader) {
	next := &load{done: make(chan struct{})}
	if n := len(m.spare); n > 0 {
		next.held, m.spare = m.spare[n-1], m.spare[:n-1]
	}
	c.next, l.last = next, c
	m.loading++
	go func() {
		next.err = c.source.load(ctx, l, &next.held)
		m.loaders <- l
		close(next.done)
	}()
}

// idle returns an idle loader, nil if there is none. It prefers the one that read the cursor's
// last lines, which has the dictionaries of the row group.
func (m *merge) idle(c *cursor) (found *loader) {
	var others []*loader
	for range cap(m.loaders) {
		select {
		case l := <-m.loaders:
			if found == nil || l.last == c || found.last != c && (l.last == nil || l.last.ended) {
				found, l = l, found
			}
			if l != nil {
				others = append(others, l)
			}
		default:
		}
	}
	for _, l := range others {
		m.loaders <- l
	}
	return found
}

// finish waits for the cursor's load, and makes its lines the cursor's.
func (m *merge) finish(c *cursor) error {
	<-c.next.done
	next := c.next
	m.recycle(&c.held)
	c.next, c.held, c.at = nil, next.held, 0
	m.loading--
	return next.err
}

// recycle keeps the memory of lines that were merged for the next loads.
func (m *merge) recycle(h *held) {
	if cap(h.text) > 0 && len(m.spare) <= cap(m.loaders) {
		m.spare = append(m.spare, held{lines: h.lines[:0], text: h.text[:0]})
	}
}

// loadAhead uses idle loaders to read the lines that are needed next. The number of loaders bounds
// the lines that are read and not merged yet.
func (m *merge) loadAhead(ctx context.Context) {
	for m.loading < cap(m.loaders) {
		c := m.neediest()
		if c == nil {
			return
		}
		l := m.idle(c)
		if l == nil {
			return
		}
		m.start(ctx, c, l)
	}
}

// lookedAt is the number of cursors, from the heap's top on, that are considered.
const lookedAt = 64

// neediest returns the cursor whose lines run out first.
func (m *merge) neediest() (neediest *cursor) {
	for _, c := range m.heap[:min(len(m.heap), lookedAt)] {
		if c.next != nil || c.ended {
			continue
		}
		if neediest == nil || m.before(c.lastKey(), neediest.lastKey()) {
			neediest = c
		}
	}
	return neediest
}

// lastKey is the last line that the cursor holds, or the bound of its next.
func (c *cursor) lastKey() schema.RowOrder {
	if n := len(c.lines); c.at < n {
		return c.lines[n-1].key
	}
	return c.bound
}
