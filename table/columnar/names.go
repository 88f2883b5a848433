package columnar

import (
	"strings"

	"sluice/schema"
)

// Names of the columns that every file has, beside schema.TimeField, schema.HostField,
// schema.StreamField, schema.OffsetField, schema.ParseErrorField and schema.LogbodyField.
const (
	// ZoneColumn is the line's own zone, seconds east of UTC.
	ZoneColumn = "zone"
	// LabelPrefix stands before a label's name.
	LabelPrefix = "label_"
)

// ColumnName is the column of a format's field: its own name, or NAME_KIND (offset_int)
// where that is one of the columns that every file has, or looks like a label's.
func ColumnName(f schema.Field) string {
	switch f.Name {
	case schema.TimeField:
		if f.Kind == schema.Time {
			return f.Name
		}
	case ZoneColumn, schema.HostField, schema.StreamField, schema.OffsetField, schema.ParseErrorField, schema.LogbodyField:
	default:
		if !strings.HasPrefix(f.Name, LabelPrefix) {
			return f.Name
		}
	}
	return kindName(f.Name, f.Kind)
}

// kindName is the column of a name that has another kind under its own name.
func kindName(name string, k schema.Kind) string { return name + "_" + k.String() }

// isText reports whether values of the kind are texts in a file, and not numbers.
func isText(k schema.Kind) bool { return k == schema.Text || k == schema.Addr }

// sameColumn reports whether values of both kinds go into one column.
func sameColumn(a, b schema.Kind) bool { return a == b || isText(a) && isText(b) }
