package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sluice/bench/fleet"
	"sluice/bench/measure"
)

// tailSpec is the task of a child process, the first JSON object on its standard input.
type tailSpec struct {
	Role string `json:"role"` // roleWriter, or the name of a reader
	// Fleet is the task of the writer; a reader uses the directory and the number of files.
	Fleet   fleet.Config `json:"fleet"`
	Outcome string       `json:"outcome"` // path for the ledger, the journal, or the lines that were seen
	// State is the path of a reader's checkpoint, Run the number of earlier starts. Durable syncs
	// what was delivered before the checkpoint is saved.
	State   string `json:"state,omitempty"`
	Run     uint32 `json:"run,omitempty"`
	Durable bool   `json:"durable,omitempty"`
}

const roleWriter = "writer"

// tailRequest is a request to a child, a JSON object. The child answers each with a tailReply.
type tailRequest struct {
	Do    string `json:"do"`
	Lines int64  `json:"lines,omitempty"`
}

const (
	doGo    = "go"    // writer: start writing
	doBegin = "begin" // the window begins
	doEnd   = "end"   // the window ends
	doDrain = "drain" // reply when Lines have arrived, or no more arrive
	doStop  = "stop"  // save the outcome, reply, and exit
)

// tailReply is the state of a child.
type tailReply struct {
	CPU       time.Duration `json:"cpu"` // since its start
	PeakBytes int64         `json:"peak_bytes"`
	Lines     int64         `json:"lines"`
	Rotated   int           `json:"rotated"`
	// P50 and P99 are the latency in the window.
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Err string        `json:"err,omitempty"`
}

// tailWork is the work of a child.
type tailWork interface {
	// Run works until ctx is done, which is not an error.
	Run(ctx context.Context) error
	// lines returns the number of lines written or delivered so far. It may be called while Run
	// runs.
	lines() int64
	// save saves the outcome. It is called after Run has returned.
	save() error
}

// The times without a delivered line after which a reader is assumed to have finished: when all
// lines have arrived, and when some are missing.
const (
	quietWhenDone = 300 * time.Millisecond
	quietWhenNot  = 5 * time.Second
	drainPoll     = 10 * time.Millisecond
)

// TailChild runs a child process of MeasureTail: the writer or a reader. It reads its task and
// requests from in, and writes replies to out. It ends at the end of in.
func TailChild(ctx context.Context, in io.Reader, out io.Writer) error {
	requests, replies := json.NewDecoder(in), json.NewEncoder(out)
	var spec tailSpec
	if err := requests.Decode(&spec); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	latency := &latencies{now: time.Now}
	work, err := newTailWork(spec, latency)
	if err != nil {
		return errors.Join(err, replies.Encode(tailReply{Err: err.Error()}))
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	started := false
	start := func() {
		if !started {
			started = true
			go func() { ended <- work.Run(ctx) }()
		}
	}
	stop := func() error {
		cancel()
		if !started {
			return nil
		}
		started = false
		return <-ended
	}
	defer cancel()
	if spec.Role != roleWriter {
		start()
	}
	if err := replies.Encode(tailReply{}); err != nil { // report that it is ready
		return errors.Join(err, stop())
	}
	for {
		var q tailRequest
		if err := requests.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) { // the parent has ended
				err = nil
			}
			return errors.Join(err, stop())
		}
		var err error
		switch q.Do {
		case doGo:
			start()
		case doBegin:
			latency.sample(true)
		case doEnd:
			latency.sample(false)
		case doDrain:
			err = drain(ctx, work, q.Lines)
		case doStop:
			err = errors.Join(stop(), work.save())
		}
		if err := replies.Encode(standing(work, latency, err)); err != nil || q.Do == doStop {
			return errors.Join(err, stop())
		}
	}
}

// newTailWork returns the work for the role in spec.
func newTailWork(spec tailSpec, latency *latencies) (tailWork, error) {
	if spec.Role == roleWriter {
		return newTailWriter(spec)
	}
	if spec.Role == readerNxadm {
		return newNxadm(spec, latency)
	}
	interval, err := readerInterval(spec.Role)
	if err != nil {
		return nil, err
	}
	sink, err := newRangeSink(spec, latency)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(spec.Role, readerSweep) {
		return newSweep(spec, interval, sink)
	}
	return newSluice(spec, interval, sink)
}

// standing returns the reply to a request that ended with err.
func standing(work tailWork, latency *latencies, err error) tailReply {
	r := tailReply{Lines: work.lines()}
	if w, ok := work.(*tailWriter); ok {
		r.Rotated = int(w.rotated.Load())
	}
	r.P50, r.P99 = latency.quantiles()
	used, usageErr := measure.CPU()
	peak, peakErr := measure.PeakBytes(os.Getpid())
	r.CPU, r.PeakBytes = used, peak
	if err = errors.Join(err, usageErr, peakErr); err != nil {
		r.Err = err.Error()
	}
	return r
}

// drain waits until work has the given number of lines and no more arrive, or until none has
// arrived for a long time.
func drain(ctx context.Context, work tailWork, lines int64) error {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	last, since := work.lines(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			n := work.lines()
			if n != last {
				last, since = n, now
			}
			if quiet := now.Sub(since); quiet > quietWhenNot || n >= lines && quiet > quietWhenDone {
				return nil
			}
		}
	}
}
