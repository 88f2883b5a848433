package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/retry"
)

// lifecycle is what the parts of a Collector share: their goroutines, the error that ended
// them, the waiting for a change, and what is being retried. It is safe for concurrent use.
type lifecycle struct {
	ctx     context.Context // ends the goroutines
	patient bool            // what fails is retried
	retries retry.Registry

	cancel context.CancelFunc
	group  *errgroup.Group

	mu      sync.Mutex
	err     error // why the collector ended; nil: it works
	changed chan struct{}
}

func newLifecycle(ctx context.Context, patient bool, now func() time.Time, log *slog.Logger) *lifecycle {
	l := &lifecycle{patient: patient, changed: make(chan struct{})}
	l.retries.Now, l.retries.Log = now, log
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.group, l.ctx = errgroup.WithContext(ctx)
	return l
}

// start starts a goroutine. The collector ends with its error.
func (l *lifecycle) start(work func(context.Context) error) {
	l.group.Go(func() error {
		err := work(l.ctx)
		l.fail(err)
		return err
	})
}

// after calls do after a pause, unless the collector ends before.
func (l *lifecycle) after(pause time.Duration, do func()) {
	l.group.Go(func() error {
		if err := retry.Sleep(l.ctx, pause); err != nil {
			return err
		}
		do()
		return nil
	})
}

// stop ends the goroutines and waits for them.
func (l *lifecycle) stop() {
	l.cancel()
	l.group.Wait() //nolint:errcheck // fail has the reason
}

// fail ends all calls that wait, for good. The first error is kept.
func (l *lifecycle) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && err != nil && !errors.Is(err, context.Canceled) {
		l.err = err
	}
	l.announceLocked()
}

// announce wakes the calls that wait for a change.
func (l *lifecycle) announce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announceLocked()
}

func (l *lifecycle) announceLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// changes returns a channel that is closed at the next change. A caller gets it before it
// looks at what it waits for, so that no change is missed.
func (l *lifecycle) changes() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// ended returns the error that ended the collector; if there is none, err.
func (l *lifecycle) ended(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	return err
}

// attempt calls do, again and again until it succeeds if the collector is patient.
func (l *lifecycle) attempt(ctx context.Context, what string, do func() error) error {
	pause := newBackoff()
	for {
		err := do()
		if err == nil {
			l.retries.Recovered(what, nil)
			return nil
		}
		if !l.patient || ctx.Err() != nil {
			return err
		}
		l.retries.Failed(what, nil, err)
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// pause waits until changed is closed, or firstPause.
func (l *lifecycle) pause(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return l.ended(nil)
	case <-time.After(firstPause):
		return l.ended(nil)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spoolFailed returns what a sender gets for an error of the spool's disk: ErrBusy, if the
// collector is patient.
func (l *lifecycle) spoolFailed(err error) error {
	err = fmt.Errorf("spool: %w", err)
	if !l.patient {
		return err
	}
	l.retries.Failed("spool", nil, err)
	return fmt.Errorf("%w: %w", ErrBusy, err)
}

// retried returns the operations that are being retried.
func (l *lifecycle) retried() (list []Trouble) {
	for _, x := range l.retries.List() {
		list = append(list, Trouble{What: x.What, Since: x.Since, Attempts: x.Attempts, Error: x.Err.Error()})
	}
	return list
}

// How long is waited before something is tried again.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = time.Minute
)

// newBackoff returns the pauses of an operation.
func newBackoff() retry.Backoff { return retry.Backoff{First: firstPause, Max: maxPause} }
