package query

import (
	"slices"
	"strings"

	"sluice/schema"
	"sluice/table/columnar"
)

// origin is the source of a name's values in a batch of columns.
type origin uint8

const (
	nowhere     origin = iota // null in all rows
	inColumn                  // they are a column
	inTime                    // the column time
	inFile                    // the path of the row's stream
	inURLPath                 // computed from the column
	inQuery                   // the same
	inStatus                  // the class of the column's numbers
	inEntryOnly               // the row must be converted to an entry
)

// source is the location of a name's values in a batch.
type source struct {
	origin origin
	column string
}

// resolve finds a name in the columns of rows whose formats have these fields. If the name can have
// different meanings in different rows, it is inEntryOnly, which is slower.
func resolve(name string, formats [][]schema.Field) source {
	own, twice := ownFields(name, formats)
	switch {
	case twice:
		return source{origin: inEntryOnly}
	case len(own) > 0:
		return resolveOwn(name, own, formats)
	}
	switch name {
	case schema.TimeField:
		return source{inTime, name}
	case schema.HostField, schema.StreamField, schema.OffsetField, schema.ParseErrorField:
		return source{inColumn, name}
	case schema.FileField:
		return source{inFile, schema.StreamField}
	case schema.URLPathField:
		return computed(inURLPath, "path", name, formats)
	case schema.StatusClassField:
		return computed(inStatus, "status", name, formats)
	case schema.LogbodyField:
		return source{origin: inEntryOnly}
	}
	return source{}
}

// ownFields returns the formats' fields of the name. twice means that one of the formats has
// several.
func ownFields(name string, formats [][]schema.Field) (own []schema.Field, twice bool) {
	for _, fields := range formats {
		n := len(own)
		for _, f := range fields {
			if f.Name == name {
				own = append(own, f)
			}
		}
		twice = twice || len(own) > n+1
	}
	return own, twice
}

// shared reports whether the column of a name may also have values of another field: NAME_KIND is a
// column of the field NAME, or of a field of that name.
func shared(column, name string, formats [][]schema.Field) bool {
	for _, fields := range formats {
		for _, f := range fields {
			if f.Name != name && (f.Name == column || strings.HasPrefix(column, f.Name) && column == f.Name+"_"+f.Kind.String()) {
				return true
			}
		}
	}
	return false
}

func resolveOwn(name string, own []schema.Field, formats [][]schema.Field) source {
	first := own[0]
	for _, f := range own {
		if isNumber(f.Kind) != isNumber(first.Kind) || isNumber(f.Kind) && f.Kind != first.Kind || f.Derived != first.Derived {
			return source{origin: inEntryOnly}
		}
	}
	_, everyEntryHas := schema.EntryField(name)
	switch {
	case name == schema.TimeField && first.Kind == schema.Time:
		return source{inTime, name}
	case everyEntryHas || name == schema.URLPathField || name == schema.StatusClassField:
		if len(own) < len(formats) { // in the other rows the name has another meaning
			return source{origin: inEntryOnly}
		}
	case first.Derived && name == "query":
		if s := resolve("path", formats); s.origin == inColumn {
			return source{inQuery, s.column}
		}
	}
	column := columnar.ColumnName(first)
	if first.Derived || shared(column, name, formats) {
		return source{origin: inEntryOnly}
	}
	return source{inColumn, column}
}

// computed returns the source of a computed field, if all formats with the field from can compute
// it.
func computed(o origin, from, name string, formats [][]schema.Field) source {
	s := resolve(from, formats)
	if s.origin == nowhere {
		return source{}
	}
	for _, fields := range formats {
		if schema.Index(fields, from) >= 0 && !slices.Contains(schema.ComputedFields(fields), name) {
			return source{origin: inEntryOnly}
		}
	}
	if s.origin != inColumn {
		return source{origin: inEntryOnly}
	}
	return source{o, s.column}
}

func isNumber(k schema.Kind) bool { return k == schema.Int || k == schema.Time }
