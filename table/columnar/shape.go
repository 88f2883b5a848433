package columnar

import (
	"slices"
	"unicode/utf8"

	"sluice/parse"
	"sluice/schema"
)

// shape is the columns of one stream's rows. It is immutable.
type shape struct {
	stream schema.Stream
	labels map[string]string
	format *parse.Format
	fields []fieldColumn // the format's, without derived ones
	time   int           // index of the field that is the column time, -1
}

// fieldColumn is the column of a format's field.
type fieldColumn struct {
	name  string
	kind  schema.Kind
	index int // into the record's values
}

func newShape(s *schema.Stream, labels map[string]string, f *parse.Format) *shape {
	h := &shape{stream: *s, labels: jsonLabels(labels), format: f, time: -1}
	for i, field := range f.Fields() {
		if field.Derived {
			continue
		}
		name := ColumnName(field)
		if name == schema.TimeField {
			h.time = i
			continue
		}
		for slices.ContainsFunc(h.fields, func(c fieldColumn) bool { return c.name == name }) {
			name = kindName(name, field.Kind)
		}
		h.fields = append(h.fields, fieldColumn{name, field.Kind, i})
	}
	return h
}

// jsonLabels returns labels as they are decoded from JSON, with U+FFFD for bytes that are not
// UTF-8, like those of a segment, so that the same file is made from received batches and from
// their segment.
func jsonLabels(labels map[string]string) map[string]string {
	if labels == nil {
		return nil
	}
	text := make(map[string]string, len(labels))
	for name, value := range labels {
		text[jsonText(name)] = jsonText(value)
	}
	return text
}

func jsonText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s)) // U+FFFD for each byte
}
