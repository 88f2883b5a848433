package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/governor"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
)

// parseFollowFlags are the flags that require --follow.
type parseFollowFlags struct {
	Follow     bool          `short:"F" help:"Follow the logs as they grow, through rotations, and print new lines at once. Logs that are created later are found."`
	FromEnd    bool          `env:"SLUICE_PARSE_FROM_END" help:"With --follow: start at the end of the logs that exist now. Logs that are created later are read whole."`
	Latency    time.Duration `env:"SLUICE_PARSE_LATENCY" placeholder:"TIME" help:"With --follow: polling interval of growing logs (default: 200ms to 2s, by their number)."`
	CPU        percent       `name:"cpu" env:"SLUICE_PARSE_CPU" default:"0" placeholder:"PERCENT" help:"With --follow: CPU limit of reading and printing, in percent of one core; 0 is no limit."`
	Checkpoint string        `env:"SLUICE_PARSE_CHECKPOINT" type:"path" placeholder:"FILE" help:"With --follow: save the position of what was printed in this file, and continue there after a restart. After a kill, lines of the last second can be printed again."`
}

func (f *parseFollowFlags) check() error {
	if !f.Follow && (f.FromEnd || f.Latency != 0 || f.CPU != 0 || f.Checkpoint != "") {
		return usage("--from-end, --latency, --cpu and --checkpoint require --follow")
	}
	if f.CPU < 0 || f.Latency < 0 {
		return usage("--cpu and --latency must be at least 0")
	}
	return nil
}

const (
	// parseCollector is the collector id in a checkpoint of parse. It prevents other commands from
	// treating lines that were only printed as stored.
	parseCollector = "parse"
	// outputDrain is the time limit for printing after the signal to stop.
	outputDrain = 5 * time.Second
	// saveInterval is the time between two saves of --checkpoint.
	saveInterval = time.Second
)

// errReaderGone is returned when the reader of standard output has closed it.
var errReaderGone = errors.New("standard output was closed by its reader")

// follow prints logs as they grow until the process is stopped or the reader of standard output has
// closed it.
func (p *parseCmd) follow(a *app, sources []tail.Source) (err error) {
	file, lock, err := p.openCheckpoint()
	if err != nil {
		return err
	}
	if lock != nil {
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	config := tail.Config{Sources: sources, Host: p.Host, Checkpoint: file, FromEnd: p.FromEnd, Latency: p.Latency, Log: a.log}
	if p.CPU > 0 {
		if config.Gate, err = governor.New(governor.Config{CPUShare: float64(p.CPU) / 100, Root: "/", Log: a.log}); err != nil {
			return err
		}
	}
	tailer, err := tail.New(config)
	if err != nil {
		return usageError{err}
	}
	out := &followPrinter{cmd: p, app: a, sources: sources, checkpoint: file}
	if err := out.check(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(a.ctx)
	group.Go(func() error { return tailer.Run(ctx) })
	group.Go(func() error { return out.print(tailer.Deliveries()) })
	group.Go(func() error { return awaitReaderGone(ctx, a.stdout) })
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	select {
	case err = <-done:
	case <-a.ctx.Done():
		select {
		case err = <-done:
		case <-time.After(outputDrain):
			return fmt.Errorf("standard output took nothing for %s after the signal to stop: the last lines are not printed", outputDrain)
		}
	}
	if errors.Is(err, errReaderGone) || errors.Is(err, context.Canceled) && a.ctx.Err() != nil {
		return nil
	}
	return err
}

// openCheckpoint opens and locks the file of --checkpoint. Without the flag, the checkpoint is kept
// in memory only and lock is nil.
func (p *parseCmd) openCheckpoint() (file *checkpoint.File, lock *os.File, err error) {
	if p.Checkpoint == "" {
		file, err = checkpoint.Open(noFiles{}, "", parseCollector)
		return file, nil, err
	}
	if lock, err = lockFile(p.Checkpoint + ".lock"); err != nil {
		return nil, nil, usage("--checkpoint %s: %w", p.Checkpoint, err)
	}
	file, err = checkpoint.Open(vfs.OS{}, p.Checkpoint, parseCollector)
	if err == nil && file.Collector() != parseCollector {
		err = fmt.Errorf("--checkpoint %s: it belongs to sluice run, agent or collector: parse would move its positions; name another file", p.Checkpoint)
	}
	if err != nil {
		return nil, nil, errors.Join(usageError{err}, lock.Close())
	}
	return file, lock, nil
}

// noFiles is a file system without files, for a checkpoint that is never saved.
type noFiles struct{ vfs.FS }

func (noFiles) OpenFile(string, int, fs.FileMode) (vfs.File, error) { return nil, fs.ErrNotExist }
