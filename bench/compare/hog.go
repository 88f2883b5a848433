package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/bench/fleet"
	"sluice/bench/peers"
	"sluice/bench/trace"
)

// HogConfig are the parameters of MeasureHog.
type HogConfig struct {
	Fleet     fleet.Config // Dir and Now are set by MeasureHog
	Processes int          // that use the CPU
	// Phase is how long the hog runs; half as long is measured before it, as long again after it.
	Phase   time.Duration
	Dir     string
	Command Command
	Say     func(what string)
}

// Hog is the behaviour of an agent on a host whose CPUs another program (the hog) uses.
type Hog struct {
	Processes int `json:"processes"`
	// AsideSeconds is the time from the start of the hog until the governor allows at most half of
	// the budget, BackSeconds the time from its end until nearly all of it is allowed; negative:
	// never.
	AsideSeconds float64 `json:"aside_seconds"`
	BackSeconds  float64 `json:"back_seconds"`
	Changes      int     `json:"changes"` // of the level
	// Before, During and After are the CPU time of the agent, in percent of one core.
	Before float64 `json:"cpu_percent_before"`
	During float64 `json:"cpu_percent_during"`
	After  float64 `json:"cpu_percent_after"`
	// Written is the number of lines, Taken that of rows in the table.
	Written int64        `json:"written"`
	Taken   int64        `json:"stored"`
	Steps   []trace.Step `json:"-"`
	Marks   []trace.Mark `json:"-"`
}

// MeasureHog follows a fleet's logs with `sluice run` before, during and after a hog.
func MeasureHog(ctx context.Context, cfg HogConfig) (*Hog, error) {
	logs := filepath.Join(cfg.Dir, "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		return nil, err
	}
	cfg.Fleet.Dir = logs
	writer, err := newTailWriter(tailSpec{Fleet: cfg.Fleet, Outcome: filepath.Join(cfg.Dir, "ledger")})
	if err != nil {
		return nil, err
	}
	h := &Hog{Processes: cfg.Processes, AsideSeconds: -1, BackSeconds: -1}
	agent, err := startRunner(ctx, cfg.Command, logs, cfg.Dir)
	if err != nil {
		return nil, err
	}
	group, working := errgroup.WithContext(ctx)
	writing, enough := context.WithCancel(working)
	group.Go(func() error { return writer.Run(writing) })
	group.Go(func() error {
		defer enough()
		return h.phases(working, cfg)
	})
	if err := errors.Join(group.Wait(), writer.save()); err != nil {
		return nil, errors.Join(err, agent.stop())
	}
	h.Written = writer.lines()
	cfg.Say("waiting for the last lines")
	if h.Taken, err = agent.finish(ctx, h.Written); err != nil {
		return nil, err
	}
	if h.Steps, err = agent.steps(); err != nil {
		return nil, err
	}
	h.judge()
	return h, nil
}

// phases runs the hog after half a phase, and waits a phase after its end.
func (h *Hog) phases(ctx context.Context, cfg HogConfig) error {
	mark := func(text string) {
		cfg.Say(text)
		h.Marks = append(h.Marks, trace.Mark{At: time.Now(), Text: text})
	}
	cfg.Say("alone")
	if err := pause(ctx, cfg.Phase/2); err != nil {
		return err
	}
	mark("hog begins")
	if err := peers.Hog(ctx, cfg.Processes, cfg.Phase); err != nil {
		return err
	}
	mark("hog ends")
	return pause(ctx, cfg.Phase)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// judge calculates the figures from the trace.
func (h *Hog) judge() {
	begin, end := h.Marks[0].At, h.Marks[1].At
	full := 0.0
	var sums, seconds [3]float64
	for i, s := range h.Steps {
		phase := 0
		switch {
		case s.At.After(end):
			phase = 2
		case s.At.After(begin):
			phase = 1
		default:
			full = max(full, s.BudgetShare)
		}
		if i > 0 { // a share is for the time since the step before
			dt := s.At.Sub(h.Steps[i-1].At).Seconds()
			sums[phase] += s.CPUShare * dt
			seconds[phase] += dt
		}
		if i > 0 && s.Level != h.Steps[i-1].Level {
			h.Changes++
		}
		if phase == 1 && h.AsideSeconds < 0 && s.BudgetShare <= full/2 {
			h.AsideSeconds = s.At.Sub(begin).Seconds()
		}
		if phase == 2 && h.BackSeconds < 0 && s.BudgetShare >= 0.95*full {
			h.BackSeconds = s.At.Sub(end).Seconds()
		}
	}
	for i, into := range []*float64{&h.Before, &h.During, &h.After} {
		*into = 100 * sums[i] / max(seconds[i], 1)
	}
}

// Wrong returns the failed requirements, one on each line.
func (h *Hog) Wrong() []string {
	if h.Taken != h.Written {
		return []string{fmt.Sprintf("%d lines were written, %d stored", h.Written, h.Taken)}
	}
	return nil
}

// Picture draws the trace.
func (h *Hog) Picture(w io.Writer) error {
	return trace.SVG(w, fmt.Sprintf("sluice run beside stress-ng --cpu %d", h.Processes), h.Steps, h.Marks)
}

// Print writes the result as text.
func (h *Hog) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "a hog of %d processes: aside after %.1f s, back %.1f s after its end, %d changes of level\n", h.Processes, h.AsideSeconds, h.BackSeconds, h.Changes)
	fmt.Fprintf(&b, "CPU of the agent, %% of one core: %.2f before, %.2f beside it, %.2f after it\n", h.Before, h.During, h.After)
	fmt.Fprintf(&b, "%d lines written, %d stored\n", h.Written, h.Taken)
	_, err := io.WriteString(w, b.String())
	return err
}
