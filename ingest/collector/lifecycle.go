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

// lifecycle is shared by the parts of a Collector: their goroutines, the error that stopped them,
// the notification of changes, and the operations that are being retried. It is safe for concurrent
// use.
type lifecycle struct {
	ctx           context.Context // done when the goroutines must stop
	retryFailures bool            // failed operations are retried
	retries       retry.Registry

	cancel context.CancelFunc
	group  *errgroup.Group

	mu      sync.Mutex
	err     error // why the collector stopped; nil: it is running
	changed chan struct{}
}

func newLifecycle(ctx context.Context, retryFailures bool, now func() time.Time, log *slog.Logger) *lifecycle {
	l := &lifecycle{retryFailures: retryFailures, changed: make(chan struct{})}
	l.retries.Now, l.retries.Log = now, log
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.group, l.ctx = errgroup.WithContext(ctx)
	return l
}

// start runs work in a goroutine. An error of work stops the collector.
func (l *lifecycle) start(work func(context.Context) error) {
	l.group.Go(func() error {
		err := work(l.ctx)
		l.fail(err)
		return err
	})
}

// after calls do in a goroutine after a pause, unless the collector stops before.
func (l *lifecycle) after(pause time.Duration, do func()) {
	l.group.Go(func() error {
		if err := retry.Sleep(l.ctx, pause); err != nil {
			return err
		}
		do()
		return nil
	})
}

// retryLater handles the result of an operation on a segment, which what names in State. It returns
// an error that ends the goroutine. If failures are retried, again is called after a pause instead,
// so that the goroutine can work on other segments meanwhile.
func (l *lifecycle) retryLater(ctx context.Context, what string, pause *retry.Backoff, err error, again func()) error {
	if err == nil || !l.retryFailures || ctx.Err() != nil {
		return err
	}
	l.retries.Failed(what, nil, err)
	l.after(pause.Next(), again)
	return nil
}

// stop stops the goroutines and waits for them.
func (l *lifecycle) stop() {
	l.cancel()
	l.group.Wait() //nolint:errcheck // fail has the reason
}

// fail makes all waiting calls return. The first error is kept, except context.Canceled.
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

// changes returns a channel that is closed at the next change. A caller must get it before it
// checks the state that it waits for, or it may miss a change.
func (l *lifecycle) changes() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// ended returns the error that stopped the collector, or err if there is none.
func (l *lifecycle) ended(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	return err
}

// attempt calls do. If the collector retries failures, it retries until do succeeds or ctx ends.
// what names the operation in State.
func (l *lifecycle) attempt(ctx context.Context, what string, do func() error) error {
	pause := newBackoff()
	for {
		err := do()
		if err == nil {
			l.retries.Recovered(what, nil)
			return nil
		}
		if !l.retryFailures || ctx.Err() != nil {
			return err
		}
		l.retries.Failed(what, nil, err)
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// pause waits until changed is closed or firstPause has passed. It returns the error that stopped
// the collector, or ctx's.
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

// spoolFailed returns the error for a sender after an error of the spool's disk. If the collector
// retries failures, it wraps ErrBusy, and State reports the failure.
func (l *lifecycle) spoolFailed(err error) error {
	err = fmt.Errorf("spool: %w", err)
	if !l.retryFailures {
		return err
	}
	l.retries.Failed("spool", nil, err)
	return fmt.Errorf("%w: %w", ErrBusy, err)
}

// retried returns the operations that are being retried.
func (l *lifecycle) retried() (list []RetryState) {
	for _, x := range l.retries.List() {
		list = append(list, RetryState{What: x.What, Since: x.Since, Attempts: x.Attempts, Error: x.Err.Error()})
	}
	return list
}

// The first and the longest pause between attempts.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = time.Minute
)

// newBackoff returns the pauses between attempts of one operation.
func newBackoff() retry.Backoff { return retry.Backoff{First: firstPause, Max: maxPause} }
