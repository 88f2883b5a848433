package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
	"sluice/monitor"
	"sluice/monitor/watch"
	"sluice/print"
)

type ackCmd struct {
	Host string        `arg:"" optional:"" help:"Host whose problems are acknowledged."`
	Lost bool          `help:"Acknowledge lost lines: status, /health and audit stop reporting them as an error."`
	For  time.Duration `placeholder:"TIME" help:"Count the host's errors as warnings and send no messages about it for this time, such as 8h; at most 30d."`
	Why  string        `placeholder:"TEXT" help:"The reason. It is shown with the host in /health, sluice top and the pages."`
	End  bool          `help:"End the acknowledgement of --for now."`
}

// Help returns the extended help text for kong.
func (ackCmd) Help() string {
	return `Lost lines are an error in status, /health and audit until they are acknowledged. On the
host that lost them:

    sluice --data /var/lib/sluice ack --lost

At a collector, for one of its hosts; the answer to the next heartbeat has it, and the
host's agent removes these losses from its checkpoint:

    sluice --data /var/lib/sluice ack web03 --lost

To keep a host from being an error while somebody works on it:

    sluice --data /var/lib/sluice ack web03 --for 8h --why "disk is replaced"

Works while the process runs, and while it does not.`
}

const (
	// ackName is the file of a request to the process that uses a data directory, and ackAnswer
	// that of its answer.
	ackName, ackAnswer = "acknowledge", "acknowledge.answer"
	maxAckBytes        = 64 << 10
)

// ackWait is the time limit for the answer of a process, which checks for requests every
// tickInterval.
const ackWait = 6 * tickInterval

// ackRequest is the content of the request file: the flags of ackCmd.
type ackRequest struct {
	Host string        `json:"host,omitempty"`
	Lost bool          `json:"lost,omitempty"`
	For  time.Duration `json:"for_ns,omitempty"`
	Why  string        `json:"why,omitempty"`
	End  bool          `json:"end,omitempty"`
}

// ackResult is the content of the answer file: an error, or what was acknowledged, as text and as a
// count.
type ackResult struct {
	Error string   `json:"error,omitempty"`
	Done  []string `json:"done,omitempty"`
	Count int      `json:"count"`
}

func (c *ackCmd) Run(a *app) (err error) {
	r := ackRequest(*c)
	switch {
	case !r.Lost && r.For == 0 && !r.End:
		return usage("no problem to acknowledge was given\nhint: sluice ack --lost, or sluice ack HOST --for 8h --why TEXT")
	case r.Host == "" && !r.Lost:
		return usage("--for and --end need a host\nhint: sluice ack HOST --for 8h --why TEXT")
	case r.For < 0 || r.For > watch.MaxAck:
		return usage("--for must be greater than 0 and at most 30d")
	case r.For > 0 && (strings.TrimSpace(r.Why) == "" || r.End):
		return usage("--for needs --why, and no --end")
	}
	path, err := checkpointPath(a.cli.Data)
	if err != nil {
		return err
	}
	if !exists(path) {
		return usage("no checkpoint at %s\nhint: give --data as for the run, the agent or the collector", path)
	}
	if locked(a.cli.Data) {
		return r.ask(a)
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
	w, err := watch.Open(vfs.OS{}, watchPath(a.cli.Data))
	if err != nil {
		return err
	}
	own := r.Host // the host of an agent or a run; a collector has none of its own
	if s, err := monitor.Read(statusPath(a.cli.Data)); err == nil && s.Health != nil && s.Health.Process.Kind == monitor.Collector {
		own, cp = "", nil
	}
	result := r.apply(time.Now(), w, own, cp, nil)
	if err := w.Save(time.Now(), 0, true); err != nil {
		return err
	}
	return result.print(a)
}

// ask sends the request to the running process, waits up to ackWait for the answer, and prints it.
// A request that is not answered is removed.
func (r *ackRequest) ask(a *app) error {
	s, err := monitor.Read(statusPath(a.cli.Data))
	if err != nil {
		return err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	request, answer := filepath.Join(a.cli.Data, ackName), filepath.Join(a.cli.Data, ackAnswer)
	if err := os.Remove(answer); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ack: %w", err)
	}
	if err := vfs.Replace(vfs.OS{}, request, body); err != nil {
		return fmt.Errorf("ack: %w", err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(ackWait)
	for !exists(answer) {
		select {
		case <-tick.C:
		case <-deadline:
			return errors.Join(fmt.Errorf("process %d did not answer within %s\nhint: is it a run, an agent or a collector? sluice status", s.PID, ackWait), os.Remove(request))
		case <-a.ctx.Done():
			return errors.Join(a.ctx.Err(), os.Remove(request))
		}
	}
	var result ackResult
	if err := readSmall(answer, &result); err != nil {
		return fmt.Errorf("ack: %w", err)
	}
	return errors.Join(result.print(a), os.Remove(answer))
}

func (r *ackResult) print(a *app) error {
	if r.Error != "" {
		return fmt.Errorf("%s", r.Error)
	}
	for _, text := range r.Done {
		print.Textln(a.stdout, "acknowledged:", text)
	}
	print.Textf(a.stdout, "acknowledged=%d\n", r.Count)
	return nil
}

// apply carries out the request and saves cp if losses were acknowledged in it; w is not saved. own
// is the host whose logs this process reads and cp its checkpoint; for a collector they are "" and
// nil. counters may be nil.
func (r *ackRequest) apply(now time.Time, w *watch.File, own string, cp *checkpoint.File, counters *tail.Counters) (result ackResult) {
	fail := func(err error) ackResult {
		if errors.Is(err, watch.ErrUnknownHost) {
			err = fmt.Errorf("unknown host %q\nhint: sluice status lists them", r.Host)
		}
		return ackResult{Error: err.Error()}
	}
	if r.Lost && cp != nil && (r.Host == "" || r.Host == own) {
		losses := cp.Losses.Acknowledge(math.MaxInt64)
		if counters != nil {
			counters.Acknowledge(losses)
		}
		for _, l := range losses {
			result.Done, result.Count = append(result.Done, l.String()), result.Count+1
		}
		if err := cp.Save(); err != nil {
			return fail(err)
		}
	}
	if r.Lost && r.Host == "" && cp == nil {
		return fail(errors.New("a collector reads no logs, so it has no lost lines of its own\nhint: sluice ack HOST --lost"))
	}
	if r.Lost && r.Host != "" && r.Host != own {
		loss, numbered, err := w.AcknowledgeLoss(r.Host)
		if err != nil {
			return fail(err)
		}
		if loss.Files > 0 {
			text := fmt.Sprintf("%s: %d bytes in %d logs that were deleted before they were read", r.Host, loss.Bytes, loss.Files)
			if !numbered {
				text += "; its agent is of an older version: acknowledge them on the host, too"
			}
			result.Done, result.Count = append(result.Done, text), result.Count+1
		}
	}
	if r.For > 0 || r.End {
		if err := w.Acknowledge(now, r.Host, r.For, r.Why); err != nil {
			return fail(err)
		}
		result.Count++
		if r.For > 0 {
			result.Done = append(result.Done, fmt.Sprintf("%s until %s: %s", r.Host, now.Add(r.For).UTC().Format(time.RFC3339), r.Why))
		}
	}
	return result
}

// acknowledge answers the request of an ack command, if there is one that still waits. The process
// that uses the data directory calls it regularly. The answer is given when the acknowledgement is
// durable. It returns true if it answered. The parameters are those of apply.
func (a *app) acknowledge(w *watching, own string, cp *checkpoint.File, counters *tail.Counters) (asked bool) {
	request := filepath.Join(a.cli.Data, ackName)
	info, err := os.Lstat(request)
	if err != nil {
		return false
	}
	now := time.Now()
	if now.Sub(info.ModTime()).Abs() > ackWait {
		// Its command was killed. What it was to acknowledge is not known any more: there may be
		// other losses now. A request of the future was made before the clock was set back.
		a.log.Warn("old request to acknowledge ignored", "path", request, "reason", "its command does not wait any more")
		if err := os.Remove(request); err != nil {
			a.log.Warn("cannot remove an old request to acknowledge", "err", err)
		}
		return false
	}
	var r ackRequest
	var result ackResult
	if err := readSmall(request, &r); err != nil {
		result.Error = err.Error()
	} else {
		result = r.apply(now, w.file, own, cp, counters)
		if err := w.file.Save(now, w.awake.Time(now), false); err != nil && r.Host != "" && result.Error == "" {
			result = ackResult{Error: fmt.Sprintf("acknowledged, but a restart would forget it: %s", err)}
		}
	}
	for _, text := range result.Done {
		a.log.Info("problem acknowledged", "reason", text)
	}
	body, err := json.Marshal(&result)
	if err = errors.Join(err, os.Remove(request)); err == nil {
		err = vfs.Replace(vfs.OS{}, filepath.Join(a.cli.Data, ackAnswer), body)
	}
	if err != nil {
		a.log.Warn("cannot answer a request to acknowledge", "err", err)
	}
	return true
}

// readSmall decodes a JSON file of at most maxAckBytes into v. It does not follow a symbolic link,
// and does not block on a named pipe.
func readSmall(path string, v any) (err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxAckBytes+1))
	if err != nil {
		return err
	}
	if len(b) > maxAckBytes {
		return fmt.Errorf("%s has more than %d bytes", path, maxAckBytes)
	}
	return json.Unmarshal(b, v)
}
