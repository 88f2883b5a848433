package columnar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"sluice/schema"
)

// maxMoves bounds how often a file's rows are searched again because the file that has them is
// itself merged.
const maxMoves = 20

// errPruned is returned if a file was removed, and no other has its rows.
var errPruned = errors.New("the file was removed before it was read, and no other file has its rows (sluice prune?): repeat the query")

// elsewhere returns the parts with the rows of a part whose file was merged since the snapshot was
// taken. They count what the part counted.
func (s *Snapshot) elsewhere(ctx context.Context, gone *part) ([]*part, error) {
	wanted := gone.ranges()
	dir := DirOf(gone.name)
	var missing error
	for range maxMoves {
		now, err := s.table.snapshotDir(ctx, dir)
		if err != nil {
			return nil, err
		}
		parts, all := restrict(now.parts, wanted)
		if all {
			s.keep(now)
			return parts, nil
		}
		missing = errors.Join(fmt.Errorf("%s: %w", gone.name, errPruned), now.Close())
	}
	return nil, missing
}

// ranges returns the counted ranges of a part.
func (p *part) ranges() map[schema.StreamID]schema.RangeSet {
	all := map[schema.StreamID]schema.RangeSet{}
	for i := range p.meta.Streams {
		m := &p.meta.Streams[i]
		if counts, partly := p.counts[m.Stream.ID]; partly {
			all[m.Stream.ID] = counts
			continue
		}
		set := all[m.Stream.ID]
		for _, r := range m.Ranges {
			set.Add(r.Range)
		}
		all[m.Stream.ID] = set
	}
	return all
}

// restrict makes parts count only the given ranges, and reports whether they have all of them.
func restrict(parts []*part, wanted map[schema.StreamID]schema.RangeSet) (kept []*part, all bool) {
	found := coverage{}
	for _, p := range parts {
		counts, some := map[schema.StreamID]schema.RangeSet{}, false
		for id, set := range p.ranges() {
			both := schema.RangeSet{}
			for _, r := range set {
				for _, w := range wanted[id].Both(r) {
					both.Add(w)
					found.add(id, w)
					some = true
				}
			}
			counts[id] = both
		}
		if some {
			kept = append(kept, &part{footer: p.footer, counts: counts})
		}
	}
	for id, set := range wanted {
		for _, r := range set {
			if have := found[id]; have == nil || have.Common(r) < r.Len() {
				return nil, false
			}
		}
	}
	return kept, true
}

// snapshotDir returns a snapshot of one directory of the tree.
func (t *Table) snapshotDir(ctx context.Context, dir string) (*Snapshot, error) {
	only := &Table{store: t.store, o: TableOptions{Log: t.o.Log, Partitions: t.o.Partitions}, dir: &dir}
	return only.Snapshot(ctx, Bounds{})
}

// keep closes another snapshot together with this one.
func (s *Snapshot) keep(other *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = append(s.others, other)
}

// partRead is the reading of a part by one query: all of it from the part's own file, or all of it
// from the files that have its rows now.
type partRead struct {
	*part
	once  sync.Once
	moved []*part // the location of its rows, if its file was removed
	gone  bool
	open  bool
	err   error
	left  atomic.Int32 // row groups that were not read yet
}

// begin opens the file, or finds its rows in others.
func (p *partRead) begin(ctx context.Context, s *Snapshot) error {
	p.once.Do(func() {
		if p.err = p.source.use(); errors.Is(p.err, fs.ErrNotExist) {
			p.gone = true
			p.moved, p.err = s.elsewhere(ctx, p.part)
		}
		p.open = p.err == nil && !p.gone
	})
	return p.err
}

// end counts a row group that was read; the last one closes the file.
func (p *partRead) end() error {
	if p.left.Add(-1) > 0 || !p.open {
		return nil
	}
	return p.source.release()
}

// abandon closes the file of a part that is not read to its end.
func (p *partRead) abandon() error {
	if p.left.Swap(0) <= 0 || !p.open {
		return nil
	}
	return p.source.release()
}
