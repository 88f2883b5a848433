package main

import (
	"context"
	"errors"
	"sync"

	"sluice/hbase"
)

// sweepLoads removes what killed bulk loads into the table left. An error is logged.
func (o *hbaseTables) sweepLoads(ctx context.Context, rows *hbase.Table) {
	if err := rows.SweepBulkLoads(ctx, o.loadDir(), o.log); err != nil && !errors.Is(err, context.Canceled) {
		o.log.Warn("cannot remove what an earlier bulk load left, will retry at the next start", "path", o.loadDir(), "err", err)
	}
}

// sweepBeside starts sweepLoads for a process that only writes with Put, which does not wait for it.
// It waits for the table to be open, and ends with the stores.
func (s *stores) sweepBeside(o *hbaseTables) {
	ctx, cancel := context.WithCancel(o.ctx)
	var worker sync.WaitGroup
	worker.Go(func() {
		var opened any = s.table
		if lazy, ok := s.table.(*lazyTable); ok {
			select {
			case <-lazy.ready:
				opened = lazy.opened()
			case <-ctx.Done():
				return
			}
		}
		if rows, ok := opened.(*hbase.Table); ok {
			o.sweepLoads(ctx, rows)
		}
	})
	s.stopSweeping = func() { cancel(); worker.Wait() }
}
