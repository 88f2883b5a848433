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

// tailSpec is what a child process is told first, as JSON on its standard input.
type tailSpec struct {
	Role string `json:"role"` // roleWriter, or a reader's name
	// Fleet is the writer's work; a reader takes folder and number of files from it.
	Fleet   fleet.Config `json:"fleet"`
	Outcome string       `json:"outcome"` // file for the ledger, the journal, or what was seen
	// State is the file of a reader's checkpoint, Run how often it was started before.
	// Durable: what was delivered is synced before the checkpoint says so.
	State   string `json:"state,omitempty"`
	Run     uint32 `json:"run,omitempty"`
	Durable bool   `json:"durable,omitempty"`
}

const roleWriter = "writer"

// tailRequest is what a child is asked, an object at a time. It answers each
// with a tailReply.
type tailRequest struct {
	Do    string `json:"do"`
	Lines int64  `json:"lines,omitempty"`
}

const (
	doGo    = "go"    // writer: begin to write
	doBegin = "begin" // the window begins
	doEnd   = "end"   // the window has ended
	doDrain = "drain" // answer when that many Lines came, or no more come
	doStop  = "stop"  // save the outcome, answer, and exit
)

// tailReply is where a child stands.
type tailReply struct {
	CPU       time.Duration `json:"cpu"` // since it began
	PeakBytes int64         `json:"peak_bytes"`
	Lines     int64         `json:"lines"`
	Rotated   int           `json:"rotated"`
	// P50 and P99 are of the window.
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Err string        `json:"err,omitempty"`
}

// tailWork is what a child does.
type tailWork interface {
	// Run works until ctx is done, which is no error.
	Run(ctx context.Context) error
	// lines is how many were written or delivered so far. It may be called while
	// Run works.
	lines() int64
	// save saves the outcome, when Run has returned.
	save() error
}

// How long a reader may deliver nothing before it is taken to have ended: with
// everything there, and without.
const (
	quietWhenDone = 300 * time.Millisecond
	quietWhenNot  = 5 * time.Second
	drainPoll     = 10 * time.Millisecond
)

// TailChild is a child process of MeasureTail: the writer or a reader. What it is
// to do comes from in, its answers go to out; it ends with in.
func TailChild(ctx context.Context, in io.Reader, out io.Writer) error {
	requests, replies := json.NewDecoder(in), json.NewEncoder(out)
	var spec tailSpec
	if err := requests.Decode(&spec); err != nil {
		return fmt.Errorf("read what to do: %w", err)
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
	if err := replies.Encode(tailReply{}); err != nil { // ready
		return errors.Join(err, stop())
	}
	for {
		var q tailRequest
		if err := requests.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) { // the parent is gone
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

// newTailWork makes what the spec's role names.
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

// standing is the answer to a request that ended with err.
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

// drain waits until work has so many lines and no more come, or until nothing
// came for long.
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
