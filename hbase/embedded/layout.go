package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"sluice/schema"
)

// The layout stands under layoutKey: after every salt and every digit that a row
// key can begin with, and before the stream directory of a typed table.
var layoutKey = []byte("\xfelayout")

// layoutMagic begins the value; 1 is the version of everything in the table.
const layoutMagic = "sluice table 1\n"

var (
	// ErrNotTable: the folder holds something else.
	ErrNotTable = errors.New("not a sluice table")
	// ErrNoTable: there is nothing to read yet.
	ErrNoTable = errors.New("there is no table yet")
)

// LayoutError: the table was made with another layout than the one asked for.
type LayoutError struct {
	Dir        string
	Have, Want schema.Layout
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("embedded: the table %s was made with %s; a table keeps its layout: leave the setting out, or use another folder",
		e.Dir, strings.Join(e.Have.Differences(e.Want), ", "))
}

// readLayout returns the layout recorded in db; ErrNoTable when the store is empty
// (its making was cut short) and ErrNotTable when it is somebody else's.
func readLayout(db *pebble.DB) (schema.Layout, error) {
	value, closer, err := db.Get(layoutKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return schema.Layout{}, emptyOrForeign(db)
	}
	if err != nil {
		return schema.Layout{}, err
	}
	l, err := parseLayout(value)
	return l, errors.Join(err, closer.Close())
}

func parseLayout(value []byte) (schema.Layout, error) {
	text, ours := bytes.CutPrefix(value, []byte(layoutMagic))
	if !ours {
		first, _, _ := bytes.Cut(value, []byte("\n"))
		return schema.Layout{}, fmt.Errorf("%w of a version that this sluice reads: it begins with %.40q", ErrNotTable, first)
	}
	return schema.UnmarshalLayout(text)
}

func emptyOrForeign(db *pebble.DB) (err error) {
	it, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if it.First() {
		return fmt.Errorf("%w: a Pebble store of another program", ErrNotTable)
	}
	return errors.Join(ErrNoTable, it.Error())
}
