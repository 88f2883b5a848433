package schema

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Layout defines how records become rows: key, family, qualifiers, encodings. It is stored in the
// table when the table is created, read by every command, and never changes.
type Layout struct {
	// Name is "typed", "packed" or "flume".
	Name string `json:"name"`
	// Family is the one column family.
	Family string `json:"family"`
	// Salts is the number of pre-split regions that rows are spread over, 1 to 254; 0 if the key
	// has no salt (flume).
	Salts int `json:"salts,omitempty"`
	// Cells are the fields with cells of their own, beside logbody; empty: all. Others are parsed
	// from logbody when they are read. Only for typed.
	Cells []string `json:"cells,omitempty"`
}

// The layouts' names.
const (
	LayoutTyped  = "typed"
	LayoutPacked = "packed"
	LayoutFlume  = "flume"
)

// defaultSalts is the number of regions of a new table.
const defaultSalts = 8

// errLayout marks a layout that cannot be used.
var errLayout = errors.New("schema: layout")

// NewLayout returns the layout called name with its defaults.
func NewLayout(name string) (Layout, error) {
	switch name {
	case LayoutTyped, "":
		return Layout{Name: LayoutTyped, Family: "l", Salts: defaultSalts}, nil
	case LayoutPacked:
		return Layout{Name: LayoutPacked, Family: "l", Salts: defaultSalts}, nil
	case LayoutFlume:
		return Layout{Name: LayoutFlume, Family: "prop"}, nil
	}
	return Layout{}, fmt.Errorf("%w %q is not known: use typed, packed or flume", errLayout, name)
}

// Marshal encodes the layout for the table's descriptor.
func (l Layout) Marshal() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return b
}

// UnmarshalLayout decodes and checks the output of Marshal.
func UnmarshalLayout(b []byte) (Layout, error) {
	var l Layout
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("%w: not readable: %w", errLayout, err)
	}
	return l, l.Check()
}

// Check returns an error if the layout cannot be used.
func (l Layout) Check() error {
	switch {
	case l.Name != LayoutTyped && l.Name != LayoutPacked && l.Name != LayoutFlume:
		return fmt.Errorf("%w %q is not known: use typed, packed or flume", errLayout, l.Name)
	case l.Family == "" || strings.Trim(l.Family, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "":
		return fmt.Errorf("%w: family %q is not a column family's name", errLayout, l.Family)
	case l.Name != LayoutFlume && (l.Salts < 1 || l.Salts > maxSalts):
		return fmt.Errorf("%w: %d salts: use 1 to %d", errLayout, l.Salts, maxSalts)
	case l.Name == LayoutFlume && l.Salts != 0:
		return fmt.Errorf("%w: flume keys have no salt", errLayout)
	case l.Name == LayoutPacked && len(l.Cells) > 0:
		return fmt.Errorf("%w: packed has one cell a row: a choice of cells is for typed", errLayout)
	}
	return nil
}

// Equal reports whether tables of the two layouts have the same rows for the same lines.
func (l Layout) Equal(o Layout) bool {
	return l.Name == o.Name && l.Family == o.Family && l.Salts == o.Salts && slices.Equal(l.Cells, o.Cells)
}

// Differences lists the fields of l that differ from want: "salts 3, not 8".
func (l Layout) Differences(want Layout) []string {
	var different []string
	differ := func(what string, have, want any) {
		if h, w := fmt.Sprint(have), fmt.Sprint(want); h != w {
			different = append(different, fmt.Sprintf("%s %s, not %s", what, h, w))
		}
	}
	differ("layout", l.Name, want.Name)
	differ("family", l.Family, want.Family)
	differ("salts", l.Salts, want.Salts)
	differ("cells", l.cellNames(), want.cellNames())
	return different
}

func (l Layout) cellNames() string {
	if len(l.Cells) == 0 {
		return "all"
	}
	return strings.Join(l.Cells, ",")
}

// keeps reports whether the field has a cell of its own.
func (l Layout) keeps(field string) bool {
	return len(l.Cells) == 0 || field == LogbodyField || field == ParseErrorField || slices.Contains(l.Cells, field)
}

// EncodeNumber appends a number or a time as it is stored: eight bytes, big-endian, as HBase's
// Bytes.toLong, Hive's #b and Phoenix's UNSIGNED_LONG read it.
func EncodeNumber(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}
