package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sluice/ingest/agent"
	"sluice/monitor"
	"sluice/print"
)

type statusCmd struct {
	JSON bool `name:"json" help:"Print the status as JSON."`
}

// Help returns the detailed help text; kong calls it.
func (statusCmd) Help() string {
	return `Shows the status of the run, agent or collector that uses this data directory: its
position in the logs, whether its governor slows it and why, which logs cannot be read or
are behind, lost lines, and of a collector the health of its hosts. The exit status is 1
if the process does not run, cannot read a log or store lines, is paused, has lost
lines, has no collector that accepts them, or if /health reports ERROR.`
}

// staleAfter is the age of a status at which it counts as outdated. It is written every
// tickInterval.
const staleAfter = time.Minute

func (c *statusCmd) Run(a *app) error {
	s, err := monitor.Read(statusPath(a.cli.Data))
	if errors.Is(err, fs.ErrNotExist) && locked(a.cli.Data) {
		return fmt.Errorf("a sluice process runs with --data %s, but has not written its status\nhint: read its log, and check whether the disk is full (df)", a.cli.Data)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return usage("no status in --data %s: no process has followed logs or collected with it\nhint: start `sluice run LOGS`, an agent or a collector; run --once writes no status", a.cli.Data)
	}
	if err != nil {
		return err
	}
	running := locked(a.cli.Data)
	if !running && s.Health != nil { // the last status is not the current state
		s.Health.Status = monitor.Failing
		s.Health.Process.Reasons = append([]string{"the process is not running; what follows is its last status"}, s.Health.Process.Reasons...)
	}
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s); err != nil {
			return err
		}
	} else {
		printStatus(a.stdout, &s, running, time.Now())
	}
	if !running || !well(&s) || time.Since(s.At) > staleAfter {
		return exitError(1)
	}
	return nil
}

// well reports whether nothing is wrong now. It also returns false for a problem that /health
// tolerates for some time.
func well(s *monitor.Status) bool {
	return len(s.Logs.Failing) == 0 && len(s.Logs.Refused) == 0 && (s.Logs.Files > 0 || len(s.Logs.Unmatched) == 0) && s.LostFiles == 0 && s.Governor.Level != "paused" && sends(s.Sending) &&
		(s.Storing == nil || len(s.Storing.Retries) == 0) && (s.Health == nil || s.Health.Well())
}

// sends reports whether an agent can send to a collector, and no stream is rejected and the
// checkpoint can be saved. x is nil if the process is not an agent; the result is then true.
func sends(x *agent.State) bool {
	return x == nil || x.Connected && x.BusySince == nil && len(x.Refused) == 0 && x.Unsaved == ""
}

// locked reports whether a process holds the lock of the data directory.
func locked(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

func printStatus(w io.Writer, s *monitor.Status, running bool, now time.Time) {
	state := fmt.Sprintf("running as process %d since %s", s.PID, s.Began.Format(time.DateTime))
	if !running {
		state = "NOT RUNNING; this is what it said last"
	}
	print.Textf(w, "%s: %s; as of %s ago\n", s.Host, state, now.Sub(s.At).Round(time.Second))
	if s.Health != nil && s.Health.Process.Kind == monitor.Collector {
		printStoring(w, s, now)
		for _, line := range s.Health.Table() {
			print.Textln(w, line)
		}
		return
	}
	print.Textf(w, "governor: %s for %s: %s; uses %.1f %% of a core\n", s.Governor.Level, now.Sub(s.Governor.Since).Round(time.Second), s.Governor.Reason, s.Governor.CPUShare*100)
	print.Textf(w, "logs: %d followed, %d growing, %d bytes unread, %d bytes/s\n", s.Logs.Files, s.Logs.Hot, s.Logs.UnreadBytes, s.Logs.BytesPerSecond)
	if s.Sending == nil {
		printStoring(w, s, now)
	} else {
		printSending(w, s, now)
	}
	if s.LostFiles > 0 {
		print.Textf(w, "LOST: %d bytes in %d logs were deleted before they were read; `sluice ack --lost` once it is seen\n", s.LostBytes, s.LostFiles)
		for _, l := range s.Logs.Losses[:min(len(s.Logs.Losses), 10)] {
			print.Textf(w, "lost: %s\n", l)
		}
	}
	printLogs(w, s, now)
	if s.Health != nil {
		for _, why := range s.Health.Metrics[s.Host].Reasons {
			print.Textln(w, "ERROR:", why)
		}
		for _, why := range s.Health.Metrics[s.Host].Warnings {
			print.Textln(w, "WARN:", why)
		}
	}
}

// printStoring prints the state of the path to table and archive.
func printStoring(w io.Writer, s *monitor.Status, now time.Time) {
	print.Textf(w, "stored: %d lines, %d bytes, %d parse errors, %d archive files\n", s.Lines, s.Bytes, s.ParseErrors, s.ArchiveFiles)
	if storing := s.Storing; storing != nil {
		print.Textf(w, "waiting: %d archive files, %d bytes on this disk; %d bytes of lines for the table\n", storing.Segments, storing.SpoolBytes, storing.UntabledBytes)
		for _, x := range storing.Retries {
			print.Textf(w, "FAILING, RETRYING: %s for %s, %d attempts: %s\n", x.What, now.Sub(x.Since).Round(time.Second), x.Attempts, x.Error)
		}
	}
}

// printLogs prints the logs that have a problem or are not read for a reason.
func printLogs(w io.Writer, s *monitor.Status, now time.Time) {
	for _, f := range s.Logs.Failing {
		print.Textf(w, "CANNOT READ: %s for %s, %d attempts: %s\n", f.Path, now.Sub(f.Since).Round(time.Second), f.Attempts, f.Error)
	}
	for _, f := range s.Logs.Unmatched {
		print.Textf(w, "NO LOG: source %s: %s\n", f.Path, f.Error)
	}
	for i, b := range s.Logs.Behind {
		if i == 10 {
			print.Textf(w, "and %d more logs with unread lines\n", len(s.Logs.Behind)-i)
			break
		}
		margin := ""
		if b.MarginSeconds != nil {
			margin = fmt.Sprintf(", read %s before its rotation deletes it", (time.Duration(*b.MarginSeconds) * time.Second).Round(time.Second))
		}
		print.Textf(w, "behind: %s, %d bytes%s\n", b.Path, b.UnreadBytes, margin)
	}
	for i, h := range s.Logs.Holes {
		if i == 10 {
			print.Textf(w, "and %d more logs with NUL bytes\n", len(s.Logs.Holes)-i)
			break
		}
		print.Textf(w, "NUL bytes before lines skipped: %s, %d bytes\n", h.Path, h.Bytes)
	}
	for i, r := range s.Logs.Repeated {
		if i == 10 {
			print.Textf(w, "and %d more logs that are read again\n", len(s.Logs.Repeated)-i)
			break
		}
		print.Textln(w, "READ AGAIN:", r)
	}
	for _, f := range s.Logs.Refused {
		print.Textln(w, "NOT A LOG:", f)
	}
	for _, path := range s.Logs.Held {
		print.Textf(w, "held back for some seconds, as it may be a copy: %s\n", path)
	}
	for _, path := range s.Logs.Copies {
		print.Textf(w, "not read, as it is a copy: %s\n", path)
	}
}

// printSending prints the state of an agent's connection to its collector.
func printSending(w io.Writer, s *monitor.Status, now time.Time) {
	x := s.Sending
	print.Textf(w, "read: %d lines, %d bytes; %d bytes in flight\n", s.Lines, s.Bytes, x.UnacknowledgedBytes)
	since := now.Sub(x.Since).Round(time.Second)
	if x.Connected {
		print.Textf(w, "collector: %s for %s\n", x.Collector, since)
	} else {
		print.Textf(w, "NO COLLECTOR for %s: %s\n", since, x.Error)
	}
	if x.BusySince != nil {
		print.Textf(w, "PAUSED for %s: the collector accepts no batches: %s\n", now.Sub(*x.BusySince).Round(time.Second), x.Busy)
	}
	if x.UnsavedSince != nil {
		print.Textf(w, "FAILING for %s: the checkpoint cannot be saved, retrying: %s\n", now.Sub(*x.UnsavedSince).Round(time.Second), x.Unsaved)
	}
	for id, why := range x.Refused {
		print.Textf(w, "REFUSED: stream %s: %s\n", id, why)
	}
}
