package agent

import (
	"context"
	"errors"
	"maps"
	"time"

	"sluice/retry"
)

const (
	// MaxLeaving is how long a host waits until a collector has stored what it received, before the
	// host returns to one that it prefers. Lines wait in the logs meanwhile.
	MaxLeaving = time.Minute
	// leavingInterval is the time between two questions how far that is.
	leavingInterval = time.Second
)

// departure is the end of a session whose host returns to a collector that it prefers: no more
// batches are sent, and the present collector is asked to store what it received, because the next
// one would be sent again what is not stored. Collectors of earlier versions ignore the request.
type departure struct {
	session *session
	// stay, if not nil, is closed when batches may be sent again. It is guarded by session.mu.
	stay chan struct{}
}

// await waits for a collector that the host prefers, which look finds, and then for the lines to be
// stored. It returns errPreferred with the collector's address when the session may end.
func (d *departure) await(ctx context.Context, look func(context.Context) (string, error)) (preferred string, err error) {
	s := d.session
	preferred, err = look(ctx)
	if !errors.Is(err, errPreferred) {
		return preferred, err
	}
	s.cfg.Log.Info("preferred collector available again, waiting until the present one has stored its lines", "collector", preferred)
	if failed := d.leave(ctx); failed != nil {
		return "", failed
	}
	return preferred, err
}

// leave returns nil when all that was sent is stored, or after MaxLeaving. If the agent is being
// stopped meanwhile, the rest is sent to the present collector, and leave returns when ctx ends.
func (d *departure) leave(ctx context.Context) error {
	s := d.session
	stay := make(chan struct{})
	d.hold(stay)
	for limit := s.cfg.Now().Add(MaxLeaving); !d.allStored() && s.cfg.Now().Before(limit); {
		if s.window.isEnded() {
			d.hold(nil)
			close(stay)
			<-ctx.Done()
			return ctx.Err()
		}
		if err := s.heartbeat(ctx); err != nil {
			return err
		}
		if err := retry.Sleep(ctx, leavingInterval); err != nil {
			return err
		}
	}
	return nil
}

// hold lets batches wait until stay is closed; nil: they are sent.
func (d *departure) hold(stay chan struct{}) {
	d.session.mu.Lock()
	defer d.session.mu.Unlock()
	d.stay = stay
}

// begun reports whether the host is about to leave.
func (d *departure) begun() bool {
	d.session.mu.Lock()
	defer d.session.mu.Unlock()
	return d.stay != nil
}

// noteSent records that a batch is sent, as soon as it may be.
func (d *departure) noteSent(ctx context.Context, p *encodedBatch) error {
	s := d.session
	for {
		s.mu.Lock()
		stay := d.stay
		if stay == nil {
			s.sent[p.stream.ID] = max(s.sent[p.stream.ID], p.End)
		}
		s.mu.Unlock()
		if stay == nil {
			return nil
		}
		select {
		case <-stay:
		case <-ctx.Done(): // the next session sends it
			return ctx.Err()
		}
	}
}

// allStored reports whether all that was sent is stored, except of rejected streams.
func (d *departure) allStored() bool {
	s := d.session
	s.mu.Lock()
	sent, announced := maps.Clone(s.sent), maps.Clone(s.announced)
	s.mu.Unlock()
	for id, t := range announced {
		if max(sent[id], s.window.acked(id)) > s.cfg.Checkpoint.Stored(t) && !s.disputes.refuses(id) {
			return false
		}
	}
	return true
}
