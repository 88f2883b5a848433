package index

import (
	"cmp"
	"context"
	"errors"
	"math"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/segment"
)

const (
	// maxOpenFiles bounds the files that WalkByTime has open: more hosts than these are not all merged.
	maxOpenFiles = 32
	// mergeWindowBytes is read of each of them at a time.
	mergeWindowBytes = 256 << 10
)

// WalkByTime reads every member, as Walk does, but nearly in the order of the lines' times: period by
// period, and within a period the member whose directory has come the least far. So a table whose
// rows are sorted by time gets those of all hosts together. The members of one file, and the files of
// one directory and period, are visited in their order, one after the other.
//
// visit returns the time of the member's last line in nanoseconds; 0: not known. At most 32 files are
// open at a time.
func (c *Catalog) WalkByTime(ctx context.Context, visit func(worker int, i int32, data []byte, bad *segment.FormatError) (until int64, err error)) error {
	m := merge{waiting: c.lanes()}
	m.changed = sync.NewCond(&m.mu)
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { // an error of one worker ends those that wait
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ended = true
		m.changed.Broadcast()
	})
	defer stop()
	for worker := range Workers() {
		group.Go(func() error {
			for l := m.take(); l != nil; l = m.take() {
				err := l.visit(ctx, worker, visit)
				if err != nil {
					return errors.Join(err, l.reader.Close())
				}
				if err := m.put(l); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	err := group.Wait()
	for _, l := range m.open {
		err = errors.Join(err, l.reader.Close())
	}
	return err
}

// lane is the files of one directory and period, at a member.
type lane struct {
	files  []int
	member int   // of the first of files
	until  int64 // time of the last line that was visited; at first the period's beginning
	reader *Reader
}

// lanes returns the lanes in the order of their periods.
func (c *Catalog) lanes() []*lane {
	type key struct {
		dir   string
		begin int64
	}
	found := map[key]*lane{}
	var all []*lane
	for i := range c.Files {
		f := &c.Files[i]
		if f.Members == 0 {
			continue
		}
		k := key{path.Dir(f.Name), math.MinInt64}
		if !f.Time.IsZero() {
			k.begin = f.Time.UnixNano()
		}
		l := found[k]
		if l == nil {
			l = &lane{until: k.begin, reader: c.newReader(mergeWindowBytes)}
			found[k] = l
			all = append(all, l)
		}
		l.files = append(l.files, i)
	}
	slices.SortStableFunc(all, func(a, b *lane) int { return cmp.Compare(a.until, b.until) })
	return all
}

// visit visits the lane's next member.
func (l *lane) visit(ctx context.Context, worker int, visit func(int, int32, []byte, *segment.FormatError) (int64, error)) error {
	c := l.reader.catalog
	i := int32(c.Files[l.files[0]].First + l.member)
	data, err := l.reader.Data(ctx, &c.Members[i])
	var bad *segment.FormatError
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	until, err := visit(worker, i, data, bad)
	if err != nil {
		return err
	}
	l.until = max(l.until, until)
	if l.member++; l.member == c.Files[l.files[0]].Members {
		l.files, l.member = l.files[1:], 0
	}
	return nil
}

// merge is the lanes of a walk. A lane that a worker has taken is in neither list.
type merge struct {
	mu      sync.Mutex
	changed *sync.Cond
	waiting []*lane // not begun, in the order of their periods
	open    []*lane // begun
	taken   int
	ended   bool
}

// take returns the lane that has come the least far. It waits while all are taken; nil is the end.
func (m *merge) take() *lane {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		least := -1
		for i, l := range m.open {
			if least < 0 || l.until < m.open[least].until {
				least = i
			}
		}
		room := len(m.open)+m.taken < maxOpenFiles
		var l *lane
		switch {
		case m.ended:
			return nil
		case len(m.waiting) > 0 && room && (least < 0 || m.waiting[0].until < m.open[least].until):
			l, m.waiting = m.waiting[0], m.waiting[1:]
		case least >= 0:
			l = m.open[least]
			m.open = slices.Delete(m.open, least, least+1)
		case m.taken == 0:
			return nil
		default:
			m.changed.Wait()
			continue
		}
		m.taken++
		return l
	}
}

// put gives a lane back.
func (m *merge) put(l *lane) error {
	var err error
	if len(l.files) == 0 {
		err = l.reader.Close()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken--
	if len(l.files) > 0 {
		m.open = append(m.open, l)
	}
	m.changed.Broadcast()
	return err
}
