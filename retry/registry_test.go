package retry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// An operation is retried as long as one of its waiters waits, and is logged twice: when it first
// failed and when it recovered.
func TestAnOperationRecoversWithItsLastWaiter(t *testing.T) {
	var said bytes.Buffer
	registry := &Registry{Of: "hbase", Now: time.Now, Log: slog.New(slog.NewTextHandler(&said, nil))}
	one, other := new(int), new(int)
	registry.Failed("a scan", one, errors.New("moved"))
	registry.Failed("a scan", other, errors.New("away"))
	registry.Failed("a scan", one, errors.New("moved"))
	registry.Recovered("a scan", one)
	registry.Recovered("a scan", one)
	if list := registry.List(); len(list) != 1 || list[0].Attempts != 3 || strings.Contains(said.String(), "recovered") {
		t.Errorf("while one waits: %+v; logged %s", list, said.String())
	}
	registry.Recovered("a scan", other)
	if list := registry.List(); len(list) != 0 || strings.Count(said.String(), "recovered") != 1 {
		t.Errorf("when none waits: %+v; logged %s", list, said.String())
	}
	registry.Failed("a scan", one, errors.New("moved"))
	registry.GiveUp("a scan", one)
	if list := registry.List(); len(list) != 0 || strings.Count(said.String(), "recovered") != 1 {
		t.Errorf("when it was given up: %+v; logged %s", list, said.String())
	}
	if n := strings.Count(said.String(), `msg="operation failed, retrying" operation="hbase: a scan" err=moved`); n != 2 {
		t.Errorf("%d first failures in the log, want 2: %s", n, said.String())
	}
	if registry.Recovered("another scan", nil) {
		t.Error("a recovery was logged without a failure")
	}
}

func TestPausesDoubleUpToTheLargest(t *testing.T) {
	b := Backoff{First: time.Second, Max: 5 * time.Second}
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := b.Next(); got != want*time.Second {
			t.Errorf("pause %d: %v", i, got)
		}
	}
	if b.Reset(); b.Next() != time.Second {
		t.Error("the first pause after a reset")
	}
	b = Backoff{First: time.Second, Max: time.Second, Spread: true}
	for range 1000 {
		if got := b.Next(); got < time.Second/2 || got > time.Second {
			t.Fatalf("a spread pause of %v", got)
		}
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(nil)
	b := Backoff{First: time.Hour, Max: time.Hour}
	if err := b.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
