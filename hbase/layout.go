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

// FamilyError: the table is there with the layout asked for, and its family was made
// another way.
type FamilyError struct {
	Table string
	// Different is a phrase for each attribute: "TTL 3600, not FOREVER".
	Different []string
}

func (e *FamilyError) Error() string {
	return fmt.Sprintf("hbase: the family of the table %s has %s: alter it in HBase's shell, leave the setting out, or use another table",
		e.Table, strings.Join(e.Different, ", "))
}

// LayoutError: the table was made with another layout than the one asked for.
type LayoutError struct {
	Table      string
	Have, Want schema.Layout
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("hbase: the table %s was made with %s; a table keeps its layout: leave the setting out, or use another table",
		e.Table, strings.Join(e.Have.Differences(e.Want), ", "))
}
