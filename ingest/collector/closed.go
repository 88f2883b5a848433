package collector

import (
	"context"
	"fmt"
	"path"
	"time"

	"sluice/archive"
)

// lastZone is the time zone, in seconds east of UTC, in which a day ends last. It is used for
// segments whose zone is not known: those of an earlier process.
const lastZone = -12 * 3600

// marker marks the archive's directories of days that are over as complete, once no segment for
// them is left to be archived. mark and closed must not be called concurrently.
type marker struct {
	cfg   *Config
	life  *lifecycle
	spool *spool
	ticks chan time.Time
}

// run marks directories at each tick, until ctx ends or an error.
func (m *marker) run(ctx context.Context) error {
	for {
		select {
		case now := <-m.ticks:
			if err := m.mark(ctx, now); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mark marks the directories to which no more files will be added.
func (m *marker) mark(ctx context.Context, now time.Time) error {
	closed, err := m.closed(now)
	if err != nil || len(closed) == 0 {
		return err
	}
	for _, dir := range closed {
		err := m.life.attempt(ctx, "mark "+dir, func() error { return m.cfg.Archive.Mark(ctx, dir) })
		if err != nil {
			return fmt.Errorf("archive: mark %s as complete: %w", dir, err)
		}
		m.cfg.Checkpoint.Unmarked.Remove(dir)
	}
	// If a crash loses this save, the directories are marked again, which changes nothing.
	return m.life.attempt(ctx, "checkpoint", m.cfg.Checkpoint.Save)
}

// closed returns the unmarked directories of days that are over and for which no segment is left to
// be archived.
func (m *marker) closed(now time.Time) ([]string, error) {
	var dirs, waiting []archive.Span
	for _, d := range m.cfg.Checkpoint.Unmarked.All() {
		dirs = append(dirs, archive.Span{Dir: d.Dir, Start: d.Start})
	}
	if len(dirs) == 0 {
		return nil, nil
	}
	for _, sp := range m.spool.segments() {
		if sp.isArchived() {
			continue
		}
		name, err := m.cfg.archiveName(sp)
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, archive.Span{Dir: path.Dir(name)})
	}
	return archive.Closed(dirs, waiting, now, m.cfg.ClosedGrace), nil
}
