package main

import (
	"errors"
	"fmt"
	"time"

	"sluice/audit"
	"sluice/parse"
	"sluice/print"
)

// replay puts an archive into the table.
func (r *runCmd) replay(a *app, format string) (err error) {
	began := time.Now()
	if r.Once || len(r.Files) > 0 {
		return usage("--from-archive reads an archive and no log: leave --once and the logs out")
	}
	layout, err := r.layout([]string{format})
	if err != nil {
		return err
	}
	pattern, err := archivePattern(r.FromArchive, a.cli.Data)
	if err != nil {
		return usage("--from-archive: %w", err)
	}
	archive, err := a.readArchive(r.FromArchive, pattern)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	table, err := a.createTable(r.tableFlags, layout, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	cfg := audit.ReplayConfig{Table: table, Archive: archive, Pattern: pattern, Zone: r.Timezone}
	if format != parse.AutoName {
		cfg.Format = format
	}
	replay, err := audit.NewReplay(a.ctx, cfg)
	if err != nil {
		return err
	}
	shown := showCounts(a, replay.Total(), func() (lines, bytes int64) { return replay.Lines.Load(), replay.Bytes.Load() })
	failed, err := replay.Run(a.ctx)
	shown()
	if err != nil {
		return fmt.Errorf("not every line is in the table; mend this and run again, rows that are there are written over themselves: %w", err)
	}
	for _, text := range failed {
		print.Textln(a.stderr, "sluice:", text)
	}
	print.Textf(a.stdout, "lines=%d bytes=%d parse_errors=%d seconds=%.2f files=%d failed=%d\n",
		replay.Lines.Load(), replay.Bytes.Load(), replay.ParseErrors.Load(), time.Since(began).Seconds(), replay.Files(), len(failed))
	if len(failed) > 0 {
		return exitError(1)
	}
	return nil
}
