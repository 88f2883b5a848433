package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/tail"
	"sluice/monitor"
	"sluice/print"
)

type ackCmd struct {
	Lost bool `help:"Acknowledge lost lines: status, /health and audit stop reporting them as an error."`
}

// Help is kong's longer help.
func (ackCmd) Help() string {
	return `Lines that were deleted before they were read, and logs that were removed while no process
followed them, are reported as an error by status, /health and audit until they are
acknowledged:

    sluice --data /var/lib/sluice status
    sluice --data /var/lib/sluice ack --lost

Prints what it acknowledges. It works with and without a running run or agent.`
}

// ackName is a file that asks the process at work in a data directory to acknowledge.
const ackName = "acknowledge-lost"

// ackWait is how long a process may take to answer: it looks every tickInterval.
const ackWait = 6 * tickInterval

func (c *ackCmd) Run(a *app) (err error) {
	if !c.Lost {
		return usage("nothing to acknowledge is named\nhint: sluice ack --lost")
	}
	path := filepath.Join(a.cli.Data, "checkpoint")
	if !exists(path) {
		return usage("no checkpoint at %s\nhint: give --data as for the run or the agent", path)
	}
	if locked(a.cli.Data) {
		return c.ask(a)
	}
	lock, err := lockData(a.cli.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	cp, err := readCheckpoint(a.cli.Data)
	if err != nil {
		return err
	}
	losses := cp.AcknowledgeLosses()
	if err := cp.Save(); err != nil {
		return err
	}
	printLosses(a, losses)
	return nil
}

// ask has the process at work acknowledge, and waits for it.
func (c *ackCmd) ask(a *app) error {
	s, err := monitor.Read(statusPath(a.cli.Data))
	if err != nil {
		return err
	}
	request := filepath.Join(a.cli.Data, ackName)
	if err := os.WriteFile(request, nil, 0o640); err != nil {
		return fmt.Errorf("ack: %w", err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(ackWait)
	for exists(request) {
		select {
		case <-tick.C:
		case <-deadline:
			return errors.Join(fmt.Errorf("process %d did not answer within %s\nhint: is it a run or an agent? sluice status", s.PID, ackWait), os.Remove(request))
		case <-a.ctx.Done():
			return errors.Join(a.ctx.Err(), os.Remove(request))
		}
	}
	printLosses(a, s.Logs.Losses)
	return nil
}

func printLosses(a *app, losses []checkpoint.Loss) {
	for _, l := range losses {
		print.Textln(a.stdout, "acknowledged:", l)
	}
	print.Textf(a.stdout, "acknowledged=%d\n", len(losses))
}

// acknowledge does what ack asks for, in the process at work. The request is removed
// when it is done.
func (a *app) acknowledge(cp *checkpoint.File, counters *tail.Counters) {
	request := filepath.Join(a.cli.Data, ackName)
	if !exists(request) {
		return
	}
	losses := cp.AcknowledgeLosses()
	counters.Acknowledge(losses)
	err := errors.Join(cp.Save(), os.Remove(request))
	for _, l := range losses {
		a.log.Info("loss acknowledged", "path", l.Path, "bytes", l.Bytes)
	}
	if err != nil {
		a.log.Warn("cannot save the acknowledgement, will retry with the next checkpoint", "err", err)
	}
}
