package hdfs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/retry"
)

const (
	firstWait = 200 * time.Millisecond
	maxWait   = 15 * time.Second
)

// caller makes calls to HDFS, each with a client of the pool, and repeats those that fail. It is safe
// for concurrent use.
type caller struct {
	pool    *pool
	retries *retry.Registry
	wait    time.Duration // Options.Wait
	sleep   func(context.Context, time.Duration) error
}

// again calls call with a client, with the retries of retry.
func (x *caller) again(ctx context.Context, what string, call func(*client) error) error {
	return x.retry(ctx, what, func(by time.Time) error { return x.pool.doBy(ctx, by, call) })
}

// retry calls attempt until it succeeds, its error is permanent, or ctx or Options.Wait ends. by is
// the time until which an attempt must have its connection. Options.Wait begins at the end of the
// first attempt, or at its start if it got no connection.
func (x *caller) retry(ctx context.Context, what string, attempt func(by time.Time) error) (err error) {
	waiter := new(int)
	defer func() {
		if err == nil {
			x.retries.Recovered(what, waiter)
		} else {
			x.retries.GiveUp(what, waiter)
		}
	}()
	began, attempts := time.Now(), 0
	backoff := retry.Backoff{First: firstWait, Max: maxWait}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := attempt(x.connectedBy(began))
		if err == nil {
			return nil
		}
		if ended := ctx.Err(); ended != nil {
			return fmt.Errorf("%w; the last attempt: %w", ended, err)
		}
		err = x.explain(err)
		if permanent(err) {
			return err
		}
		attempts++
		if attempts == 1 && !errors.As(err, new(connectError)) {
			// It has perhaps worked until now: a long upload that loses a data node would otherwise have
			// no second attempt.
			began = time.Now()
		}
		pause := backoff.Next()
		if waited := time.Since(began); x.wait > 0 && waited+pause >= x.wait {
			return &UnreachableError{Waited: waited, Attempts: attempts, Err: err, NameNodes: x.pool.answers()}
		}
		x.retries.Failed(what, waiter, err)
		if ended := x.sleep(ctx, pause); ended != nil {
			return fmt.Errorf("%w; the last attempt: %w", ended, err)
		}
	}
}

// connectedBy returns the time until which an attempt must have its connection; zero is no limit.
// began is the start of Options.Wait. Each name node gets its share of Options.Wait.
func (x *caller) connectedBy(began time.Time) time.Time {
	if x.wait <= 0 {
		return time.Time{}
	}
	share := time.Now().Add(x.wait / time.Duration(max(1, len(x.pool.options.Addresses))))
	if end := began.Add(x.wait); end.Before(share) {
		return end
	}
	return share
}

// once makes one attempt. Its error is explained.
func (x *caller) once(ctx context.Context, call func(*client) error) error {
	if err := x.pool.doBy(ctx, x.connectedBy(time.Now()), call); err != nil {
		return x.explain(err)
	}
	return nil
}

// explain is explain for this cluster.
func (x *caller) explain(err error) error { return explain(err, x.pool.login != nil) }
