package columnar

import (
	"strings"

	"sluice/schema"
)

// mayMatch reports whether a filter may match rows of a row group, according to its statistics.
func mayMatch(f *schema.Filter, file *File, g *GroupInfo) bool {
	if f == nil {
		return true
	}
	switch f.Op {
	case schema.And:
		for _, arg := range f.Args {
			if !mayMatch(arg, file, g) {
				return false
			}
		}
		return true
	case schema.Or:
		for _, arg := range f.Args {
			if mayMatch(arg, file, g) {
				return true
			}
		}
		return len(f.Args) == 0
	case schema.Equal, schema.Less, schema.LessEqual:
		return mayCompare(f, file, g)
	case schema.Prefix:
		s, ok := statsOf(f, file, g)
		return !ok || string(s.Max) >= f.Text && string(s.Min[:min(len(s.Min), len(f.Text))]) <= f.Text
	}
	return true
}

// mayCompare is mayMatch for a comparison.
func mayCompare(f *schema.Filter, file *File, g *GroupInfo) bool {
	s, ok := statsOf(f, file, g)
	if !ok {
		return true
	}
	if f.Kind == schema.Int || f.Kind == schema.Time {
		switch f.Op {
		case schema.Equal:
			return s.MinInt <= f.Num && f.Num <= s.MaxInt
		case schema.Less:
			return s.MinInt < f.Num
		default:
			return s.MinInt <= f.Num
		}
	}
	switch f.Op {
	case schema.Equal:
		return string(s.Min) <= f.Text && f.Text <= string(s.Max)
	case schema.Less:
		return string(s.Min) < f.Text
	default:
		return string(s.Min) <= f.Text
	}
}

// statsOf returns the bounds of the filter's field, if the group has them, and if they are bounds
// of the values that the filter compares: not for a computed field, nor if there is a column of
// another kind of the same name, nor for text that is stored escaped.
func statsOf(f *schema.Filter, file *File, g *GroupInfo) (ColumnStats, bool) {
	number := f.Kind == schema.Int || f.Kind == schema.Time
	found := false
	for _, c := range file.Columns() {
		if strings.HasPrefix(c.Name, f.Field+"_") && c.Name == f.Field+"_"+c.Kind.String() {
			return ColumnStats{}, false
		}
		if c.Name == f.Field {
			if (c.Kind == schema.Int || c.Kind == schema.Time) != number {
				return ColumnStats{}, false
			}
			found = true
		}
	}
	if !found {
		return ColumnStats{}, false
	}
	s, ok := g.stats(f.Field)
	return s, ok && s.Bounded
}
