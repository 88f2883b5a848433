package columnar

import "context"

// loader reads lines of sources, of one at a time. There is one for each processor.
type loader struct {
	merge   *merge // the selection; read only
	worker  int
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
	c.next = next
	m.loading++
	go func() {
		next.err = c.source.load(ctx, l, &next.held)
		m.loaders <- l
		close(next.done)
	}()
}

// finish waits for the cursor's load, and makes its lines the cursor's.
func (m *merge) finish(c *cursor) error {
	<-c.next.done
	next := c.next
	c.next, c.held, c.at = nil, next.held, 0
	m.loading--
	return next.err
}

// loadAhead uses idle loaders to read the lines that are needed next. The number of loaders bounds
// the lines that are read and not merged yet.
func (m *merge) loadAhead(ctx context.Context) {
	for m.loading < cap(m.loaders) {
		c := m.neediest()
		if c == nil {
			return
		}
		select {
		case l := <-m.loaders:
			m.start(ctx, c, l)
		default:
			return
		}
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
func (c *cursor) lastKey() lineKey {
	if n := len(c.lines); c.at < n {
		return c.lines[n-1].key
	}
	return c.bound
}
