package columnar

import "sluice/schema"

// Names of the columns that every file has, beside schema.TimeField, schema.HostField,
// schema.StreamField, schema.OffsetField, schema.ParseErrorField and schema.LogbodyField.
const (
	// ZoneColumn is the line's own zone, seconds east of UTC.
	ZoneColumn = "zone"
	// LabelPrefix stands before a label's name.
	LabelPrefix = "label_"
)

// ColumnName is the column of a format's field: its own name, or NAME_KIND (offset_int)
// where that is one of the columns that every file has.
func ColumnName(f schema.Field) string {
	switch f.Name {
	case schema.TimeField:
		if f.Kind == schema.Time {
			return f.Name
		}
	case ZoneColumn, schema.HostField, schema.StreamField, schema.OffsetField, schema.ParseErrorField, schema.LogbodyField:
	default:
		return f.Name
	}
	return f.Name + "_" + f.Kind.String()
}
