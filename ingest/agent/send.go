package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/flume"
	"sluice/ingest/protocol"
	"sluice/retry"
)

// Preference sorts collectors for a host by rendezvous hashing: each host has an
// order of its own, and a collector that comes or goes moves only its own hosts.
func Preference(host string, collectors []string) []string {
	weight := func(address string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(host + "\x00" + address)) //nolint:errcheck // it never fails
		x := h.Sum64()                           // FNV's high bits hardly change with the last byte: mix, as SplitMix64 does
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return x ^ x>>31
	}
	order := slices.Clone(collectors)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(weight(b), weight(a)) })
	return order
}

// How long is waited before a collector is tried again: doubled each time, and up to
// half of it more by chance, so that hosts do not come all at once.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 10 * time.Second
)

var (
	errDrained = errors.New("all is sent")
	errHome    = errors.New("this host's first collector is there again")
	errAgain   = errors.New("the collector lacks what it had; it is read again")
)

// send keeps a connection to a collector until all is sent after the end; met is
// closed when the first one has answered, or has not.
func (a *Agent) send(ctx, running context.Context, met chan struct{}) error {
	at := 0
	backoff := retry.Backoff{First: 2 * firstPause, Max: 2 * maxPause, Spread: true}
	away := a.cfg.Now() // since when the present collector does not answer
	var first bool
	meet := func() {
		if !first {
			first = true
			close(met)
		}
	}
	for {
		greeted := false
		session := a.session
		if a.cfg.Flume {
			session = a.flumeSession
		}
		home, err := session(running, at, func() { greeted = true; meet() })
		meet()
		switch {
		case errors.Is(err, errDrained):
			return nil
		case running.Err() != nil:
			return nil
		case errors.Is(err, errHome):
			a.cfg.Log.Info("preferred collector available again, reconnecting to it", "collector", a.order[home])
			at, away = home, a.cfg.Now()
			continue
		}
		a.disconnected(a.order[at], err, greeted)
		if ctx.Err() != nil {
			if n := a.window.size(); n > 0 {
				a.cfg.Log.Warn("stopped before all read lines were sent; they will be read again at the next start", "bytes", n)
			}
			return nil
		}
		if greeted {
			away = a.cfg.Now()
			backoff.Reset()
		}
		if a.cfg.FailoverAfter > 0 && len(a.order) > 1 && a.cfg.Now().Sub(away) >= a.cfg.FailoverAfter {
			at, away = (at+1)%len(a.order), a.cfg.Now()
			backoff.Reset()
			a.cfg.Log.Warn("collector unreachable, trying the next one", "collector", a.order[at])
			continue
		}
		select {
		case <-time.After(backoff.Next()):
		case <-ctx.Done():
		case <-running.Done():
		}
	}
}

// disconnected notes why there is no connection; it is said once.
func (a *Agent) disconnected(address string, err error, greeted bool) {
	now := a.cfg.Now()
	text := err.Error()
	said := false
	a.change(func(s *State) {
		said = !s.Connected && !greeted && s.Error == text
		if s.Connected {
			s.Since = now
		}
		s.Collector, s.Connected, s.Error = address, false, text
	})
	if !said {
		a.cfg.Log.Warn("collector connection failed, retrying", "collector", address, "err", err)
	}
}

// connect makes a connection that has shaken hands.
func (a *Agent) connect(ctx context.Context, address string) (*avrorpc.Client, error) {
	conn, err := a.cfg.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	spoken := protocol.New()
	if a.cfg.Flume {
		spoken = flume.Protocol()
	}
	return avrorpc.NewClient(ctx, conn, spoken, avrorpc.ClientOptions{InFlight: callsInFlight, Bytes: a.cfg.WindowBytes})
}

// lookHome asks the collectors that this host prefers to the present one, every now
// and then, whether they are there.
func (a *Agent) lookHome(ctx context.Context, at int) (home int, err error) {
	if at == 0 {
		return 0, nil
	}
	ticker := time.NewTicker(max(a.cfg.FailoverAfter, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		for i := range at {
			c, err := a.connect(ctx, a.order[i])
			if err != nil {
				continue // it is not there, which is why we are here
			}
			if err := c.Close(); err != nil {
				return 0, err
			}
			return i, errHome
		}
	}
}
