package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Status is the outcome of a step.
type Status string

// The statuses, as they are printed.
const (
	OK      Status = "ok"
	Failed  Status = "FAILED"
	Skipped Status = "skipped"
)

// Result is the result of a step.
type Result struct {
	// Step is what was checked, with its address if there are several.
	Step   string `json:"step"`
	Status Status `json:"status"`
	// Took is the duration of the step, or a duration that it measured: a round trip.
	Took time.Duration `json:"took_ns"`
	// Text is what was found; for a failure the cause, and how to fix it.
	Text string `json:"text"`
}

// Report collects results. It is not safe for concurrent use.
type Report struct {
	// Show is called with each result.
	Show func(Result)
	// Explain adds a hint to an error; nil: none.
	Explain func(error) error
	// Now is a clock; nil: time.Now.
	Now func() time.Time

	failed int
}

// Failed returns the number of failed steps.
func (r *Report) Failed() int { return r.failed }

// skip is an error with the reason why a step was skipped.
type skip struct{ why string }

func (s skip) Error() string { return s.why }

// Skip returns an error for a step that cannot run, and whose failure would not matter.
func Skip(format string, args ...any) error { return skip{fmt.Sprintf(format, args...)} }

// Step runs a step and reports whether it succeeded. do returns what it found.
func (r *Report) Step(name string, do func() (found string, err error)) bool {
	return r.Timed(name, func() (string, time.Duration, error) {
		found, err := do()
		return found, 0, err
	})
}

// Timed is Step for a step that measures its duration itself; 0: the whole time of do.
func (r *Report) Timed(name string, do func() (found string, took time.Duration, err error)) bool {
	began := r.now()
	found, took, err := do()
	if took == 0 {
		took = r.now().Sub(began)
	}
	result := Result{Step: name, Status: OK, Took: took, Text: found}
	var skipped skip
	switch {
	case errors.As(err, &skipped):
		result.Status, result.Text, result.Took = Skipped, skipped.why, 0
	case errors.Is(err, context.Canceled):
		result.Status, result.Text = Failed, "interrupted"
	case err != nil:
		if r.Explain != nil {
			err = r.Explain(err)
		}
		result.Status, result.Text = Failed, err.Error()
	}
	if result.Status == Failed {
		r.failed++
	}
	r.Show(result)
	return result.Status == OK
}

// Skip reports a step that is not run because an earlier one failed.
func (r *Report) Skip(name, why string) {
	r.Show(Result{Step: name, Status: Skipped, Text: why})
}

func (r *Report) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}
