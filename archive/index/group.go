package index

import (
	"cmp"
	"slices"
	"time"

	"sluice/schema"
)

// Group is the content of the archive for one host and one day.
type Group struct {
	Host                   string
	Day                    time.Time // zero: not in the names
	Files                  int
	Lines, LogBytes, Bytes int64
	// Ranges are the ranges of each stream, sorted, adjacent ones joined.
	Ranges map[schema.StreamID][]schema.Range
}

// DayText returns the day, or "-".
func (g *Group) DayText() string {
	if g.Day.IsZero() {
		return "-"
	}
	return g.Day.Format(time.DateOnly)
}

// Groups returns the content by day and host, without foreign files.
func (c *Catalog) Groups() []*Group {
	type key struct {
		host string
		day  time.Time
	}
	groups := map[key]*Group{}
	for i := range c.Files {
		f := &c.Files[i]
		if f.Foreign {
			continue
		}
		k := key{f.Host, f.Time.Truncate(24 * time.Hour)}
		g := groups[k]
		if g == nil {
			g = &Group{Host: f.Host, Day: k.day, Ranges: map[schema.StreamID][]schema.Range{}}
			groups[k] = g
		}
		g.Files++
		g.Lines, g.LogBytes, g.Bytes = g.Lines+f.Lines, g.LogBytes+f.LogBytes, g.Bytes+f.Bytes
		for _, m := range c.Members[f.First : f.First+f.Members] {
			g.Ranges[m.Stream] = append(g.Ranges[m.Stream], m.Range)
		}
	}
	var list []*Group
	for _, g := range groups {
		for id := range g.Ranges {
			g.Ranges[id] = join(g.Ranges[id])
		}
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *Group) int { return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Host, b.Host)) })
	return list
}

// join sorts ranges and joins adjacent ones.
func join(ranges []schema.Range) []schema.Range {
	slices.SortFunc(ranges, func(a, b schema.Range) int { return cmp.Compare(a.Start, b.Start) })
	joined := ranges[:0]
	for _, r := range ranges {
		if last := len(joined) - 1; last >= 0 && r.Start <= joined[last].End {
			joined[last].End = max(joined[last].End, r.End)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}
