package query

import (
	"bytes"

	"sluice/schema"
	"sluice/table/columnar"
)

// vector is the values of a name in all rows of a batch.
type vector struct {
	kind schema.Kind
	// dict and codes are those of a text, see columnar.Column.
	dict  [][]byte
	codes []int32
	// ints and valid are those of a number or a time, see columnar.Column.
	ints  []int64
	valid []uint64
	none  bool // null in all rows

	memory [][]byte // for computed dict and codes
	own    []int32
}

func (v *vector) isNull(i int) bool {
	switch {
	case v.none:
		return true
	case isNumber(v.kind):
		return v.valid != nil && v.valid[i>>6]>>(i&63)&1 == 0
	}
	return v.codes[i] < 0
}

// load sets v to the values of a source.
func (v *vector) load(s source, b *columnar.Batch) error {
	v.none = true
	if s.origin == nowhere || s.origin == inEntryOnly {
		return nil
	}
	c := b.Column(s.column)
	if c == nil {
		return nil
	}
	v.none, v.kind = false, c.Kind
	v.dict, v.codes, v.ints, v.valid = c.Dict, c.Codes, c.Ints, c.Valid
	switch s.origin {
	case inURLPath:
		v.memory = v.memory[:0]
		for _, path := range c.Dict {
			v.memory = append(v.memory, schema.URLPath(path))
		}
		v.dict = v.memory
	case inQuery:
		v.queries()
	case inStatus:
		v.classes(c)
	case inFile:
		return v.files(b)
	}
	return nil
}

// queries replaces the values by the text after their first '?'; null if there is none.
func (v *vector) queries() {
	v.memory = v.memory[:0]
	for _, path := range v.dict {
		var query []byte
		if i := bytes.IndexByte(path, '?'); i >= 0 {
			query = path[i+1:]
		}
		v.memory = append(v.memory, query)
	}
	v.own = append(v.own[:0], v.codes...)
	for i, code := range v.own {
		if code >= 0 && v.memory[code] == nil {
			v.own[i] = -1
		}
	}
	v.dict, v.codes = v.memory, v.own
}

// statusClasses are the values of status_class.
var statusClasses = [][]byte{[]byte("1xx"), []byte("2xx"), []byte("3xx"), []byte("4xx"), []byte("5xx"), []byte("6xx"), []byte("7xx"), []byte("8xx"), []byte("9xx")}

func (v *vector) classes(c *columnar.Column) {
	v.own = v.own[:0]
	for i, n := range c.Ints {
		class := schema.StatusClass(n)
		if c.Null(i) || class == 0 {
			v.own = append(v.own, -1)
		} else {
			v.own = append(v.own, int32(class-'1'))
		}
	}
	v.kind, v.dict, v.codes = schema.Text, statusClasses, v.own
}

// files replaces the values of the column stream by the paths of the streams.
func (v *vector) files(b *columnar.Batch) error {
	v.memory = v.memory[:0]
	for range v.dict {
		v.memory = append(v.memory, nil)
	}
	for i, code := range v.codes {
		if code >= 0 && v.memory[code] == nil {
			stream, err := b.Stream(i)
			if err != nil {
				return err
			}
			v.memory[code] = append(make([]byte, 0, len(stream.Stream.Path)+1), stream.Stream.Path...)
		}
	}
	v.dict = v.memory
	return nil
}

// escaped selects in out the rows whose value may differ from the column's: a byte that is not
// UTF-8 is stored as \xhh, like those four characters.
func (v *vector) escaped(c *columnar.Column, out columnar.Selection, suspects []bool) []bool {
	if c == nil || v.none || isNumber(v.kind) || isNumber(c.Kind) {
		return suspects
	}
	some := false
	for i := range c.Containing([]byte(`\x`)) {
		if !some {
			suspects = append(suspects[:0], make([]bool, len(c.Dict))...)
			some = true
		}
		suspects[i] = true
	}
	if !some {
		return suspects
	}
	for i, code := range v.codes {
		if code >= 0 && suspects[code] {
			out[i>>6] |= 1 << (i & 63)
		}
	}
	return suspects
}
