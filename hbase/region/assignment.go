package region

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sluice/hadoop/protobuf"
	"sluice/hbase/wire"
)

// Assignment is the location of a region in the meta table.
type Assignment struct {
	*Region
	// State is the region's, such as OPEN or OPENING.
	State string
}

const (
	// OpenState is the state of an open region.
	OpenState = "OPEN"

	metaPage = 100 // rows of the meta table in one response
)

// Assignments returns all regions of a table in the order of their keys, except split ones. One
// that no server has open has the zero Server.
func (c *Cluster) Assignments(ctx context.Context, table string) (all []Assignment, err error) {
	start := []byte(table + ",,")
	for {
		scan := protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, familyInfo))
		scan = protobuf.AppendBytes(scan, 3, start)
		scan = protobuf.AppendBytes(scan, 4, table+" ,,") // rows of the meta table are compared part by part
		cells, err := c.metaRows(ctx, scan, metaPage)
		if err != nil {
			return nil, err
		}
		if len(cells) == 0 {
			return all, nil
		}
		for len(cells) > 0 {
			n := 1
			for n < len(cells) && bytes.Equal(cells[n].Row, cells[0].Row) {
				n++
			}
			a, split, err := parseAssignment(cells[:n])
			if err != nil {
				return nil, fmt.Errorf("the meta table's row %q: %w", cells[0].Row, err)
			}
			if !split {
				all = append(all, a)
			}
			start = append(bytes.Clone(cells[0].Row), 0)
			cells = cells[n:]
		}
	}
}

func parseAssignment(row []wire.Cell) (a Assignment, split bool, err error) {
	if a.Region, err = parseRegion(row); err != nil && !errors.Is(err, errNotOpen) {
		return a, false, err
	}
	for _, c := range row {
		if string(c.Qualifier) == "state" {
			a.State = string(c.Value)
		}
	}
	return a, a.State == "SPLIT" || a.State == "MERGED", nil
}
