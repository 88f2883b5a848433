package schema

import "bytes"

// Names of values that are computed from a field when they are requested. Filters, aggregations and
// --fields accept them; no layout stores them. A format's own field of that name takes precedence.
const (
	// URLPathField is the path without its query, like Apache's %U. It is computed from a Text
	// field called path.
	URLPathField = "url_path"
	// StatusClassField is the class of a status, "5xx"; null if the status is not a number of three
	// digits. It is computed from an Int field called status.
	StatusClassField = "status_class"
)

// computedFields are the computed fields, each with the field that it needs.
var computedFields = []struct {
	name, from string
	kind       Kind // of from
	source     source
}{
	{URLPathField, "path", Text, ofURLPath},
	{StatusClassField, "status", Int, ofStatusClass},
}

// ComputedFields returns the names of the values that can be computed from these fields, without
// those that are among the fields.
func ComputedFields(fields []Field) []string {
	var names []string
	for _, c := range computedFields {
		if locateComputed(fields, c.name).source != nowhere && Index(fields, c.name) < 0 {
			names = append(names, c.name)
		}
	}
	return names
}

// locateComputed returns the zero Place for a name that cannot be computed from the fields.
func locateComputed(fields []Field, name string) Place {
	for _, c := range computedFields {
		if c.name != name {
			continue
		}
		if i := Index(fields, c.from); i >= 0 && fields[i].Kind == c.kind {
			return Place{Kind: Text, source: c.source, index: i}
		}
	}
	return Place{}
}

// URLPath returns path up to its query.
func URLPath(path []byte) []byte {
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		return path[:i:i]
	}
	return path
}

// StatusClass returns the first digit of a status of three digits, and 0 for any other
// number.
func StatusClass(status int64) byte {
	if status < 100 || status > 999 {
		return 0
	}
	return byte('0' + status/100)
}

func (e *Entry) statusClass(p Place) byte {
	if e.Record.Null(p.index) {
		return 0
	}
	return StatusClass(e.Record.Values[p.index].Num)
}
