package ingest

import (
	"context"
	"slices"
)

// reopener returns the table if it can be reopened and the collector is patient; else
// nil: the first error of the table is for good, or the table itself is patient.
func (c *Collector) reopener() Reopener {
	if r, ok := c.cfg.Table.(Reopener); ok && c.cfg.Patient {
		return r
	}
	return nil
}

// onTable calls do, which writes to the table. A table that can be reopened is tried
// until do succeeds. It reports whether rows of earlier calls that were not flushed were
// lost; their pieces are in the backlog then.
func (s *storer) onTable(ctx context.Context, do func() error) (lost bool, err error) {
	r := s.reopener()
	if r == nil {
		return false, do()
	}
	err = s.attempt(ctx, "table", func() error {
		if s.down {
			if err := r.Reopen(); err != nil {
				return err
			}
			s.down = false
		}
		err := do()
		if err != nil && ctx.Err() == nil {
			s.down, lost = true, true
			s.takeBack()
		}
		return err
	})
	return lost, err
}

// flushTable makes rows durable, but for those that were lost.
func (s *storer) flushTable(ctx context.Context) (lost bool, err error) {
	lost, err = s.onTable(ctx, func() error { return s.cfg.Table.Flush(ctx) })
	if err == nil {
		s.unflushed, s.dirty = nil, lost && s.dirty
	}
	return lost, err
}

// takeBack puts the pieces whose rows the table lost into the backlog.
// The spool has their lines until the table has flushed them.
func (s *storer) takeBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unflushed = slices.DeleteFunc(s.unflushed, func(x *piece) bool { return x.in == nil })
	for _, x := range s.unflushed {
		x.tabled = false
		x.in.untabled++
	}
	s.backlog.add(s.unflushed...)
	s.unflushed = nil
	for _, st := range s.streams {
		st.declared = false
	}
	s.nudge()
}
