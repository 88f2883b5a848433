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

// sender keeps a connection to a collector, and sends on it what is in the window.
type sender struct {
	*env
	reader    *reader
	reporter  *reporter
	farewells *farewells
}

// run keeps a connection to a collector until ctx is done and all is sent. It closes met when the
// first collector has answered, or could not be reached.
func (s *sender) run(ctx, running context.Context, met chan struct{}) error {
	route := NewRoute(s.cfg.Tail.Host, s.cfg.Collectors, s.cfg.FailoverAfter, s.cfg.Now())
	var first bool
	meet := func() {
		if !first {
			first = true
			close(met)
		}
	}
	for {
		connected := false
		session := s.runSession
		if s.cfg.Flume {
			session = s.runFlumeSession
		}
		preferred, err := session(running, route, func() { connected = true; meet() })
		meet()
		switch {
		case errors.Is(err, errDrained):
			return nil
		case running.Err() != nil:
			return nil
		case errors.Is(err, errPreferred):
			s.cfg.Log.Info("preferred collector available again, reconnecting to it", "collector", preferred)
			route.Return(preferred, s.cfg.Now())
			continue
		case errors.Is(err, errRenewed):
			s.cfg.Log.Info("certificate renewed, reconnecting with it", "collector", route.Present())
			continue
		}
		s.connection.disconnected(route.Present(), err, connected)
		if ctx.Err() != nil {
			if n := s.window.size(); n > 0 {
				s.cfg.Log.Warn("stopped before all read lines were sent; they will be read again at the next start", "bytes", n)
			}
			return nil
		}
		pause, moved := route.Failed(s.cfg.Now(), connected)
		if moved {
			s.cfg.Log.Warn("collector unreachable, trying the next one", "collector", route.Present())
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		case <-running.Done():
		}
	}
}

// connect returns a client whose handshake is complete.
func (cfg *Config) connect(ctx context.Context, address string) (*avrorpc.Client, error) {
	conn, err := cfg.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	spoken, options := protocol.New(), avrorpc.ClientOptions{InFlight: callsInFlight, Bytes: cfg.WindowBytes, Earlier: protocol.Earlier()}
	if cfg.Flume {
		spoken, options.Earlier = flume.Protocol(), nil
	}
	return avrorpc.NewClient(ctx, conn, spoken, options)
}

// lookForPreferred tries the collectors that this host prefers to the present one from time to
// time. It returns the first one that is available, and errPreferred.
func (s *sender) lookForPreferred(ctx context.Context, route *Route) (preferred string, err error) {
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
			c, err := s.cfg.connect(ctx, collector)
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
