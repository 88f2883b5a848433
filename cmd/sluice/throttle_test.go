package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestARepeatedMessageIsThrottledAndItsCountLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(newThrottle(slog.NewTextHandler(&out, nil)))
		for i := range 10_000 {
			log.With("listener", i%3).Warn("connection ended", "peer", i)
		}
		log.Info("status server listening")
		if n := strings.Count(out.String(), "connection ended"); n != maxPerMinute {
			t.Errorf("logged %d times, want %d", n, maxPerMinute)
		}
		if !strings.Contains(out.String(), "status server listening") {
			t.Error("another message was suppressed")
		}
		out.Reset()
		time.Sleep(time.Minute)
		log.Info("something else")
		want := fmt.Sprintf(`msg="messages suppressed" message="connection ended" count=%d`, 10_000-maxPerMinute)
		if !strings.Contains(out.String(), want) {
			t.Errorf("the count is missing, want %s:\n%s", want, out.String())
		}
		out.Reset()
		log.Warn("connection ended")
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("a minute later the message is not logged once more:\n%s", out.String())
		}
	})
}
