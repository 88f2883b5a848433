package audit

import (
	"context"
	"fmt"

	"sluice/schema"
)

// scan returns the scan of the selected rows, of some streams or (nil) of all.
func (a *audit) scan(streams []schema.StreamID) schema.Scan {
	if streams == nil && len(a.Hosts) > 0 {
		streams = []schema.StreamID{}
		for id := range a.streams {
			streams = append(streams, id)
		}
	}
	return schema.Scan{From: a.From, To: a.To, Streams: streams}
}

// readTable returns the sums of the table's rows and of the quarantine's. Of the streams it changes
// only Rows, Quarantined and Later.
func (a *audit) readTable(ctx context.Context) (tally, error) {
	t, h := tally{}, hasher{seeds: a.seeds}
	err := a.eachRow(ctx, a.scan(nil), func(row *schema.Row, quarantined bool) error {
		if s := a.streams[row.Stream]; s != nil {
			switch {
			case s.beyond(row.Offset):
				s.Later++
				return nil
			case quarantined:
				s.Quarantined++
			default:
				s.Rows++
			}
		}
		t.add(chunkOf(row.Stream, row.Offset), h.row(row.Key, row.Cells), 1)
		return nil
	})
	return t, err
}

// eachRow calls each with the rows of a scan of all salts, and then with those rows of the
// quarantine that the scan selects and did not return: a table may have accepted one later.
func (a *audit) eachRow(ctx context.Context, scan schema.Scan, each func(row *schema.Row, quarantined bool) error) error {
	accepted := map[string]bool{}
	for row, err := range a.Table.Scan(ctx, scan) {
		if err != nil {
			return err
		}
		if len(a.Quarantine) > 0 {
			if _, refused := a.Quarantine[string(row.Key)]; refused {
				accepted[string(row.Key)] = true
			}
		}
		if s := a.streams[row.Stream]; s != nil && s.pruned.Has(row.Offset) {
			continue
		}
		if err := each(row, false); err != nil {
			return err
		}
	}
	wanted := map[schema.StreamID]bool{}
	for _, id := range scan.Streams {
		wanted[id] = true
	}
	for key, cells := range a.Quarantine {
		row := schema.Row{Key: []byte(key), Cells: cells}
		if err := a.layout.ParseKey(&row); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		if accepted[key] || scan.Streams != nil && !wanted[row.Stream] || row.Time < scan.From || scan.To > 0 && row.Time >= scan.To {
			continue
		}
		if err := each(&row, true); err != nil {
			return err
		}
	}
	return nil
}
