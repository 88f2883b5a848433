package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/flume"
	"sluice/ingest/protocol"
)

// Pauses between attempts to reach a collector are doubled each time, and up to as much again is
// added at random, so that hosts do not all connect at the same moment.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 10 * time.Second
)

var (
	errDrained   = errors.New("all is sent")
	errPreferred = errors.New("this host's preferred collector is available again")
	errAgain     = errors.New("the collector lost lines that it had received; they are read again")
)

// send keeps a connection to a collector until ctx is done and all is sent. It closes met when the
// first collector has answered, or could not be reached.
func (a *Agent) send(ctx, running context.Context, met chan struct{}) error {
	route := NewRoute(a.cfg.Tail.Host, a.cfg.Collectors, a.cfg.FailoverAfter, a.cfg.Now())
	var first bool
	meet := func() {
		if !first {
			first = true
			close(met)
		}
	}
	for {
		connected := false
		session := a.session
		if a.cfg.Flume {
			session = a.flumeSession
		}
		preferred, err := session(running, route, func() { connected = true; meet() })
		meet()
		switch {
		case errors.Is(err, errDrained):
			return nil
		case running.Err() != nil:
			return nil
		case errors.Is(err, errPreferred):
			a.cfg.Log.Info("preferred collector available again, reconnecting to it", "collector", preferred)
			route.Return(preferred, a.cfg.Now())
			continue
		}
		a.disconnected(route.Present(), err, connected)
		if ctx.Err() != nil {
			if n := a.window.size(); n > 0 {
				a.cfg.Log.Warn("stopped before all read lines were sent; they will be read again at the next start", "bytes", n)
			}
			return nil
		}
		pause, moved := route.Failed(a.cfg.Now(), connected)
		if moved {
			a.cfg.Log.Warn("collector unreachable, trying the next one", "collector", route.Present())
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		case <-running.Done():
		}
	}
}

// disconnected records why there is no connection, and logs each reason once.
func (a *Agent) disconnected(address string, err error, connected bool) {
	now := a.cfg.Now()
	text := err.Error()
	announced := false
	a.change(func(s *State) {
		announced = !s.Connected && !connected && s.Error == text
		if s.Connected {
			s.Since = now
		}
		s.Collector, s.Connected, s.Error = address, false, text
	})
	if !announced {
		a.cfg.Log.Warn("collector connection failed, retrying", "collector", address, "err", err)
	}
}

// connect returns a client whose handshake is complete.
func (a *Agent) connect(ctx context.Context, address string) (*avrorpc.Client, error) {
	conn, err := a.cfg.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	spoken, options := protocol.New(), avrorpc.ClientOptions{InFlight: callsInFlight, Bytes: a.cfg.WindowBytes, Earlier: protocol.Earlier()}
	if a.cfg.Flume {
		spoken, options.Earlier = flume.Protocol(), nil
	}
	return avrorpc.NewClient(ctx, conn, spoken, options)
}

// lookForPreferred tries the collectors that this host prefers to the present one from time to
// time. It returns the first one that is available, and errPreferred.
func (a *Agent) lookForPreferred(ctx context.Context, route *Route) (preferred string, err error) {
	if len(route.Preferred()) == 0 {
		return "", nil
	}
	ticker := time.NewTicker(route.LookInterval())
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		for _, collector := range route.Preferred() {
			c, err := a.connect(ctx, collector)
			if err != nil {
				continue // it is still unreachable
			}
			if err := c.Close(); err != nil {
				return "", err
			}
			return collector, errPreferred
		}
	}
}
