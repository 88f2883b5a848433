package hbase

import (
	"errors"
	"fmt"
	"strings"

	"sluice/hbase/region"
	"sluice/schema"
)

var (
	// ErrTableNotFound: there is no such table.
	ErrTableNotFound = region.ErrTableNotFound
	// ErrTableDisabled: the table is there and serves nobody.
	ErrTableDisabled = region.ErrTableDisabled
	// ErrNoLayout: the table was made by something else.
	ErrNoLayout = errors.New("the table's descriptor has no layout of sluice's (attribute " + schema.LayoutAttribute + ")")
)

// LayoutError: the table was made with another layout than the one asked for.
type LayoutError struct {
	Table      string
	Have, Want schema.Layout
}

func (e *LayoutError) Error() string {
	var different []string
	differ := func(what string, have, want any) {
		if h, w := fmt.Sprint(have), fmt.Sprint(want); h != w {
			different = append(different, fmt.Sprintf("%s %s, not %s", what, h, w))
		}
	}
	differ("layout", e.Have.Name, e.Want.Name)
	differ("family", e.Have.Family, e.Want.Family)
	differ("salts", e.Have.Salts, e.Want.Salts)
	differ("cells", cellNames(e.Have), cellNames(e.Want))
	return fmt.Sprintf("hbase: the table %s was made with %s; a table keeps its layout: leave the setting out, or use another table",
		e.Table, strings.Join(different, ", "))
}

func cellNames(l schema.Layout) string {
	if len(l.Cells) == 0 {
		return "all"
	}
	return strings.Join(l.Cells, ",")
}
