package query

import (
	"slices"
	"strings"

	"sluice/schema"
	"sluice/table/columnar"
)

// origin is where the values of a name are in a batch of columns.
type origin uint8

const (
	nowhere     origin = iota // null in all rows
	inColumn                  // they are a column
	inTime                    // the column time
	inFile                    // the path of the row's stream
	inURLPath                 // computed of the column
	inQuery                   // the same
	inStatus                  // the class of the column's numbers
	inEntryOnly               // the row has to be made an entry
)

// source says where a batch has the values of a name.
type source struct {
	origin origin
	column string
}

// resolve finds a name in the columns of rows whose formats have these fields. Where rows
// may differ in what the name stands for, it is inEntryOnly: slower, and right.
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

// ownFields are the formats' fields of the name. twice says that one of the formats has
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

// shared reports whether a column that has the values of a name may have those of another
// field, too: NAME_KIND is a column of the field NAME, or of a field of that name.
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
		if len(own) < len(formats) { // in the other rows the name stands for something else
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

// computed is the source of a computed field, which all formats that have the field from
// can compute.
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
