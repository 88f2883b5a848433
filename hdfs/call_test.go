package hdfs

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	dfs "github.com/colinmarc/hdfs/v2"

	"sluice/retry"
)

// newCaller returns a caller that has no cluster.
func newCaller(wait time.Duration, nameNodes ...string) *caller {
	return &caller{
		pool:    &pool{options: dfs.ClientOptions{Addresses: nameNodes}, results: map[string]string{}},
		retries: &retry.Registry{Now: time.Now, Log: slog.New(slog.DiscardHandler)}, wait: wait, sleep: retry.Sleep,
	}
}

// An upload that takes longer than Options.Wait loses a data node at its end, and the first further
// attempts get the same data node.
func TestALongUploadThatFailsIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, attempts := newCaller(time.Minute, "n1"), 0
		err := x.retry(t.Context(), "store", func(by time.Time) error {
			attempts++
			if !by.After(time.Now()) {
				t.Errorf("attempt %d has no time to connect", attempts)
			}
			switch {
			case attempts == 1:
				time.Sleep(3 * time.Minute)
			case attempts == 4:
				return nil
			}
			return errors.New("a data node was lost")
		})
		if err != nil || attempts != 4 {
			t.Errorf("attempts: %d, %v", attempts, err)
		}
	})
}

// Name nodes that do not answer, or reject each call at once, get Options.Wait and no more.
func TestAFailingClusterIsGivenUpAfterTheWait(t *testing.T) {
	const wait = time.Minute
	for name, attempt := range map[string]func(by time.Time) error{
		"silent": func(by time.Time) error {
			time.Sleep(time.Until(by))
			return connectError{context.DeadlineExceeded}
		},
		"without a route": func(by time.Time) error {
			time.Sleep(min(time.Until(by), wait/3))
			return connectError{errors.New("i/o timeout")}
		},
		"refused": func(time.Time) error { return errors.New("connection refused") },
	} {
		for _, nameNodes := range [][]string{{"n1"}, {"n1", "n2"}} {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := newCaller(wait, nameNodes...).retry(t.Context(), "look", attempt)
				var end *UnreachableError
				if !errors.As(err, &end) || time.Since(began) > wait || time.Since(began) < wait-maxWait {
					t.Errorf("%s, %d name nodes: after %s: %v", name, len(nameNodes), time.Since(began), err)
				}
			})
		}
	}
}
