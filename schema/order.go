package schema

import "cmp"

// RowOrder is what rows are ordered by in every table and scan: the time (0: the line has none), then
// the stream, then the offset.
type RowOrder struct {
	Time   int64 // nanoseconds since 1970
	Stream StreamID
	Offset int64
}

// Compare returns -1, 0 or +1 if o is before, at or after p.
func (o RowOrder) Compare(p RowOrder) int {
	switch {
	case o.Time != p.Time:
		return cmp.Compare(o.Time, p.Time)
	case o.Stream != p.Stream:
		return cmp.Compare(o.Stream, p.Stream)
	}
	return cmp.Compare(o.Offset, p.Offset)
}

// Order returns the row's place in a scan.
func (r *Row) Order() RowOrder { return RowOrder{r.Time, r.Stream, r.Offset} }
