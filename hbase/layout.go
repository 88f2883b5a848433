package hbase

import (
	"errors"
	"fmt"
	"strings"

	"sluice/hbase/region"
	"sluice/schema"
)

var (
	// ErrTableNotFound is returned if the table does not exist.
	ErrTableNotFound = region.ErrTableNotFound
	// ErrTableDisabled is returned if the table is disabled.
	ErrTableDisabled = region.ErrTableDisabled
	// ErrNoLayout is returned if the table was not created by sluice.
	ErrNoLayout = errors.New("the table's descriptor has no layout of sluice (attribute " + schema.LayoutAttribute + ")")
)

// FamilyError reports that the table exists with the required layout, but its family was created
// with other attributes.
type FamilyError struct {
	Table string
	// Different is a phrase for each attribute: "TTL 3600, not FOREVER".
	Different []string
}

func (e *FamilyError) Error() string {
	return fmt.Sprintf("hbase: the family of the table %s has %s: alter it in HBase's shell, leave the setting out, or use another table",
		e.Table, strings.Join(e.Different, ", "))
}

// LayoutError reports that the table has another layout than the required one.
type LayoutError struct {
	Table      string
	Have, Want schema.Layout
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("hbase: the table %s was made with %s; a table keeps its layout: leave the setting out, or use another table",
		e.Table, strings.Join(e.Have.Differences(e.Want), ", "))
}
