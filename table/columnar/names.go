package columnar

import (
	"strings"

	"sluice/schema"
)

// Names of the columns that every file has, beside schema.TimeField, schema.HostField,
// schema.StreamField, schema.OffsetField, schema.ParseErrorField and schema.LogbodyField.
const (
	// zoneColumn is the line's own zone, seconds east of UTC.
	zoneColumn = "zone"
	// labelPrefix is the prefix of a label's column.
	labelPrefix = "label_"
)

// ColumnName returns the column of a format's field: its name, or NAME_KIND (offset_int) if that is
// one of the columns that every file has, or looks like a label's.
func ColumnName(f schema.Field) string {
	switch f.Name {
	case schema.TimeField:
		if f.Kind == schema.Time {
			return f.Name
		}
	case zoneColumn, schema.HostField, schema.StreamField, schema.OffsetField, schema.ParseErrorField, schema.LogbodyField:
	default:
		if !strings.HasPrefix(f.Name, labelPrefix) {
			return f.Name
		}
	}
	return kindName(f.Name, f.Kind)
}

// kindName is the column of a name whose own column has another kind.
func kindName(name string, k schema.Kind) string { return name + "_" + k.String() }

// isText reports whether values of the kind are stored as texts, and not as numbers.
func isText(k schema.Kind) bool { return k == schema.Text || k == schema.Addr }

// sameColumn reports whether values of both kinds are stored in one column.
func sameColumn(a, b schema.Kind) bool { return a == b || isText(a) && isText(b) }
