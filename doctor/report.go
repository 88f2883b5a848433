package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Status is what became of a step.
type Status string

// The statuses, as they are printed.
const (
	OK      Status = "ok"
	Failed  Status = "FAILED"
	Skipped Status = "skipped"
)

// Result is what a step found.
type Result struct {
	// Step is what was looked at, with its address where there are several.
	Step   string `json:"step"`
	Status Status `json:"status"`
	// Took is how long the step took, or what it says of its own: a round trip.
	Took time.Duration `json:"took_ns"`
	// Text is what is known now; of a failure what is wrong, and how to mend it.
	Text string `json:"text"`
}

// Report takes results as they come. It is used by one goroutine.
type Report struct {
	// Show is called with each result.
	Show func(Result)
	// Explain says how an error is mended here; nil: as it says itself.
	Explain func(error) error
	// Now is a clock; nil: time.Now.
	Now func() time.Time

	failed int
}

// Failed is how many steps failed so far.
func (r *Report) Failed() int { return r.failed }

// skip is an error that says why a step was left out.
type skip struct{ why string }

func (s skip) Error() string { return s.why }

// Skip is what a step returns that cannot be made, and whose failure would be none.
func Skip(format string, args ...any) error { return skip{fmt.Sprintf(format, args...)} }

// Step makes a step and reports whether it went well. do returns what it found out.
func (r *Report) Step(name string, do func() (found string, err error)) bool {
	return r.Timed(name, func() (string, time.Duration, error) {
		found, err := do()
		return found, 0, err
	})
}

// Timed is Step for one that knows better what it took; 0: all its time.
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

// Skip reports a step that is not made because of one before it.
func (r *Report) Skip(name, why string) {
	r.Show(Result{Step: name, Status: Skipped, Text: why})
}

func (r *Report) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}
