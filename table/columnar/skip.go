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
		return !ok || string(s.max) >= f.Text && string(s.min[:min(len(s.min), len(f.Text))]) <= f.Text
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
			return s.minInt <= f.Num && f.Num <= s.maxInt
		case schema.Less:
			return s.minInt < f.Num
		default:
			return s.minInt <= f.Num
		}
	}
	switch f.Op {
	case schema.Equal:
		return string(s.min) <= f.Text && f.Text <= string(s.max)
	case schema.Less:
		return string(s.min) < f.Text
	default:
		return string(s.min) <= f.Text
	}
}

// statsOf returns the bounds of the filter's field, if the group has them, and if they are bounds
// of the values that the filter compares: not for a computed field, nor if there is a column of
// another kind of the same name, nor for text that is stored escaped.
func statsOf(f *schema.Filter, file *File, g *GroupInfo) (columnStats, bool) {
	number := f.Kind == schema.Int || f.Kind == schema.Time
	found := false
	for _, c := range file.columns {
		if strings.HasPrefix(c.name, f.Field+"_") && c.name == f.Field+"_"+c.kind.String() {
			return columnStats{}, false
		}
		if c.name == f.Field {
			if (c.kind == schema.Int || c.kind == schema.Time) != number {
				return columnStats{}, false
			}
			found = true
		}
	}
	if !found {
		return columnStats{}, false
	}
	s, ok := g.stats(f.Field)
	return s, ok && s.bounded
}
