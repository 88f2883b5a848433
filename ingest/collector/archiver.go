package collector

import (
	"context"
	"fmt"
	"path"
	"time"

	"sluice/ingest/checkpoint"
)

// archiver seals rolled segments and stores them in the archive. Several goroutines call run.
type archiver struct {
	cfg      *Config
	life     *lifecycle
	spool    *spool
	sealer   *sealer
	columns  *columnQueue
	counters *Counters
	nudge    func() // wakes the goroutine that commits: a segment may be complete
}

// run archives segments until ctx ends, or, if the collector does not retry failures, until an
// error.
func (a *archiver) run(ctx context.Context) error {
	for {
		select {
		case sp := <-a.spool.rolled:
			err := a.archive(ctx, sp)
			if err = a.life.retryLater(ctx, sp.name.String(), &sp.pause, err, func() { a.spool.feedMore(sp) }); err != nil {
				return err
			}
			a.spool.feedMore(nil)
			a.life.announce()
			a.nudge()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// archive seals one segment and stores it in the archive. A segment without spooled batches is only
// dropped.
func (a *archiver) archive(ctx context.Context, sp *spooled) error {
	if err := a.sealer.seal(sp); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := a.columns.end(ctx, sp); err != nil {
		return err
	}
	if sp.count() == 0 {
		a.spool.drop(sp)
	} else if err := a.store(ctx, sp); err != nil {
		return err
	}
	a.life.retries.Recovered(sp.name.String(), nil)
	sp.set(func() { sp.archived = true })
	return nil
}

func (a *archiver) store(ctx context.Context, sp *spooled) error {
	name, err := a.cfg.archiveName(sp)
	if err == nil {
		err = a.noteUnmarked(sp, name)
	}
	if err != nil {
		return err
	}
	if err := a.cfg.Archive.Store(ctx, sp.file(), name); err != nil {
		return fmt.Errorf("archive: store %s: %w", name, err)
	}
	a.counters.Segments.Add(1)
	return nil
}

// noteUnmarked records the directory of name, under which a segment is about to be archived, in the
// checkpoint, so that the marker marks it when its day is over.
func (a *archiver) noteUnmarked(sp *spooled, name string) error {
	if !a.cfg.MarkClosed {
		return nil
	}
	start, err := time.Parse(periodLayout[:len(sp.name.Period)], sp.name.Period)
	if err != nil {
		return err
	}
	zone := lastZone
	sp.set(func() {
		if sp.zoned {
			zone = int(sp.zone)
		}
	})
	y, m, day := start.Date()
	start = time.Date(y, m, day, start.Hour(), start.Minute(), 0, 0, time.FixedZone("", zone))
	a.cfg.Checkpoint.Unmarked.Add(checkpoint.Directory{Dir: path.Dir(name), Start: start})
	return nil
}
