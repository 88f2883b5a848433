package columnar

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"sync"

	"sluice/schema"
)

// Snapshot is a table at one moment. Its methods are safe for concurrent use, except Close.
type Snapshot struct {
	table   *Table
	bounds  Bounds
	footers []*footer // of all files within the bounds
	ahead   []*footer // of columns of open segments
	parts   []*part
	fresh   []*freshSegment

	mu     sync.Mutex
	others []*Snapshot // closed with this one
}

// Close closes the files that are held open.
func (s *Snapshot) Close() error {
	var errs []error
	for _, f := range s.fresh {
		errs = append(errs, f.Close())
	}
	errs = append(errs, dropAll(s.footers), dropAll(s.ahead))
	for _, o := range s.others {
		errs = append(errs, o.Close())
	}
	s.fresh, s.footers, s.ahead, s.parts, s.others = nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

// part is a file of the tree with its counted ranges.
type part struct {
	*footer
	// counts are the counted ranges of a stream, for streams of which not all rows count.
	counts map[schema.StreamID]schema.RangeSet
}

// count counts the files, and then the fresh segments, each with the ranges that none before it
// has. A replaced file does not count.
func (s *Snapshot) count(footers []*footer) {
	replaced := replacedNames(footers)
	covered := coverage{}
	for _, f := range footers {
		if replaced[f.name] {
			continue
		}
		if p := covered.take(f, s.wantHost); p != nil {
			s.parts = append(s.parts, p)
		}
	}
	for _, f := range s.fresh {
		f.count(covered)
	}
}

// coverage is the ranges of streams that are counted already.
type coverage map[schema.StreamID]*schema.RangeSet

// add adds a range of a stream and returns the parts of it that were not in the set.
func (c coverage) add(id schema.StreamID, r schema.Range) []schema.Range {
	set := c[id]
	if set == nil {
		set = &schema.RangeSet{}
		c[id] = set
	}
	missing := set.Missing(r)
	set.Add(r)
	return missing
}

// take counts the ranges of a file that are not counted yet; nil if all are. If wantHost is not
// nil, streams of other hosts do not count.
func (c coverage) take(f *footer, wantHost func(string) bool) *part {
	p := &part{footer: f, counts: map[schema.StreamID]schema.RangeSet{}}
	whole := map[schema.StreamID]bool{}
	some := false
	for i := range f.meta.Streams {
		m := &f.meta.Streams[i]
		id := m.Stream.ID
		if _, again := p.counts[id]; !again { // a stream is listed once for each format
			whole[id] = true
		}
		if wantHost != nil && !wantHost(m.Stream.Host) {
			p.counts[id], whole[id] = schema.RangeSet{}, false
			continue
		}
		counts := p.counts[id]
		for _, r := range m.Ranges {
			missing := c.add(id, r.Range)
			if len(missing) != 1 || missing[0] != r.Range {
				whole[id] = false
			}
			for _, r := range missing {
				counts.Add(r)
				some = true
			}
		}
		p.counts[id] = counts
	}
	for id, all := range whole {
		if all {
			delete(p.counts, id)
		}
	}
	if !some {
		return nil
	}
	return p
}

// replacedNames returns the names of the files that others were merged from: they are in the
// directory of the merged file.
func replacedNames(footers []*footer) map[string]bool {
	names := map[string]bool{}
	for _, f := range footers {
		for _, base := range f.meta.Replaces {
			names[path.Join(DirOf(f.name), base)] = true
		}
	}
	return names
}

// Streams returns the streams with rows in the snapshot, in the order of their ids. If a range is
// in several files, Lines and ParseErrors are estimates.
func (s *Snapshot) Streams(context.Context) ([]schema.StreamEntry, error) {
	byID := map[schema.StreamID]*schema.StreamEntry{}
	ends := map[schema.StreamID]int64{}
	// The name of a stream, and its labels, are those of its last lines.
	get := func(stream schema.Stream, labels map[string]string, end int64) *schema.StreamEntry {
		e := byID[stream.ID]
		if e == nil {
			e = new(schema.StreamEntry)
			byID[stream.ID] = e
		}
		if end >= ends[stream.ID] {
			e.Stream, e.Labels, ends[stream.ID] = stream, labels, end
		}
		return e
	}
	for _, p := range s.parts {
		for i := range p.meta.Streams {
			m := &p.meta.Streams[i]
			counts, partly := p.counts[m.Stream.ID]
			if partly && len(counts) == 0 || !s.wantHost(m.Stream.Host) {
				continue
			}
			e := get(m.Stream, m.Labels, m.end())
			for _, t := range []int64{m.First, m.Last} {
				if t != 0 {
					e.Extend(t)
				}
			}
			for _, r := range m.Ranges {
				e.Stored = max(e.Stored, r.End)
				lines, errors := r.Lines, r.Errors
				if partly {
					share := counts.Common(r.Range)
					lines, errors = scaled(lines, share, r.Len()), scaled(errors, share, r.Len())
				}
				e.Lines += lines
				e.ParseErrors += errors
			}
		}
	}
	for _, f := range s.fresh {
		for _, m := range f.members {
			if s.wantHost(m.entry.Host) {
				get(m.entry.Stream, m.entry.Labels, m.Range.End)
			}
		}
	}
	list := make([]schema.StreamEntry, 0, len(byID))
	for _, e := range byID {
		list = append(list, *e)
	}
	slices.SortFunc(list, func(a, b schema.StreamEntry) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// Ranges returns what the files of the tree hold of each stream.
func (s *Snapshot) Ranges() map[schema.StreamID]schema.RangeSet {
	all := map[schema.StreamID]schema.RangeSet{}
	for _, p := range s.parts {
		for id, counted := range p.ranges() {
			set := all[id]
			for _, r := range counted {
				set.Add(r)
			}
			all[id] = set
		}
	}
	return all
}

// end is the end of the stream's last range.
func (s *StreamMeta) end() (end int64) {
	for _, r := range s.Ranges {
		end = max(end, r.End)
	}
	return end
}

// scaled returns n * share / whole.
func scaled(n, share, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return int64(float64(n) * (float64(share) / float64(whole)))
}

func (s *Snapshot) wantHost(host string) bool {
	return len(s.bounds.Hosts) == 0 || slices.Contains(s.bounds.Hosts, host)
}
