package agent

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
	"sluice/retry"
)

// send sends the batches of the window and waits for more. It returns errDrained when all are sent
// and no more will come.
func (s *session) send(ctx context.Context) error {
	backoff := retry.Backoff{First: firstPause, Max: maxPause}
	for {
		busy, err := s.round(ctx)
		if err != nil {
			return err
		}
		if busy == "" {
			return errDrained
		}
		if s.connection.busy(busy) {
			backoff.Reset()
		}
		if err := backoff.Wait(ctx); err != nil {
			return err
		}
	}
}

// sent is a batch in flight.
type sent struct {
	*encodedBatch
	call *avrorpc.Pending
}

// round sends batches, beginning with the first that is not acknowledged. If the collector did not
// accept one, busy is its reason, and round returns when the calls in flight have ended. If busy is
// "", all is sent and no more will come.
func (s *session) round(ctx context.Context) (busy string, err error) {
	group, ctx := errgroup.WithContext(ctx)
	sending, stop := context.WithCancel(ctx)
	defer stop()
	calls := make(chan sent, callsInFlight)
	limit := s.share.inFlightBytes()
	room := semaphore.NewWeighted(limit)
	group.Go(func() error {
		defer close(calls)
		for seq := uint64(0); ; {
			p, err := s.window.next(sending, seq)
			if err == nil && p == nil {
				return nil
			}
			var call *avrorpc.Pending
			if err == nil {
				err = room.Acquire(sending, min(p.Len(), limit))
			}
			if err == nil {
				call, err = s.start(sending, p)
			}
			if err != nil {
				if sending.Err() != nil && ctx.Err() == nil {
					return nil // the collector is busy; only the calls in flight are waited for
				}
				return err
			}
			seq = p.seq
			select {
			case calls <- sent{p, call}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	group.Go(func() error {
		var reply []byte
		for c := range calls {
			var err error
			if reply, err = c.call.Wait(ctx, reply[:0]); err != nil {
				return err
			}
			room.Release(min(c.Len(), limit))
			why, err := s.receive(c.encodedBatch, reply)
			if err != nil {
				return err
			}
			if why != "" {
				busy = why
				stop()
			}
		}
		return nil
	})
	err = group.Wait()
	return busy, err
}

// callsInFlight is the limit of unanswered batches: enough for a round trip of some tenths of a
// second.
const callsInFlight = 64

// start sends a batch when the collector permits it. If the collector does not know the stream, a
// hello with the stream is sent first.
func (s *session) start(ctx context.Context, p *encodedBatch) (*avrorpc.Pending, error) {
	pace := s.pacing.current()
	if !s.knows(p.stream) {
		if err := s.introduce(ctx); err != nil {
			return nil, err
		}
	}
	if err := pace.begin(ctx); err != nil {
		return nil, err
	}
	if err := s.departure.noteSent(ctx, p); err != nil {
		return nil, err
	}
	call, err := s.client.Start(ctx, protocol.MessageAppend, p.head, p.body)
	if err != nil {
		return nil, fmt.Errorf("send %s %v: %w", p.stream.Path, p.Range, err)
	}
	pace.spend(ctx, len(p.body))
	return call, nil
}

// introduce sends a hello with the streams of the window that the collector does not know.
func (s *session) introduce(ctx context.Context) error {
	streams := s.window.streams(s.knows)
	spans := s.window.spans()
	from, err := s.hello(ctx, streams)
	if err != nil {
		return err
	}
	s.publishClaims() // of logs that exist, so no loss depends on them
	for _, t := range streams {
		if at, ok := from[t.ID]; ok && at < spans[t.ID].acked {
			return errAgain
		}
	}
	return nil
}

// receive handles the reply to a batch. busy is the collector's reason for not accepting it; the
// batch must then be sent again.
func (s *session) receive(p *encodedBatch, reply []byte) (busy string, err error) {
	var r protocol.Receipt
	if err := r.Decode(reply); err != nil {
		return "", fmt.Errorf("receipt: %w", err)
	}
	switch r.Status {
	case protocol.OK:
		s.window.done(p)
		at := protocol.Position{Stream: p.stream.ID, Received: r.Received, Stored: r.Stored}
		if s.beyond(at) {
			return "", errAgain // a hello finds out which log's lines the collector has
		}
		s.stored(at)
		s.connection.sent(p.lines)
		s.connection.busy("")
	case protocol.Busy:
		s.stored(protocol.Position{Stream: p.stream.ID, Received: r.Received, Stored: r.Stored})
		return cmp.Or(r.Reason, "no reason given"), nil
	case protocol.Refused:
		if s.contested(p, r.Received) {
			return "", errAgain
		}
		s.refuse(p, r.Reason)
	default:
		return "", fmt.Errorf("batch %v of %s: %s", p.Range, p.stream.Path, r.Reason)
	}
	return "", nil
}

// refuse stops sending a stream that the collector rejects. Its lines remain in the log and are
// offered again later.
func (s *session) refuse(p *encodedBatch, why string) {
	known := s.disputes.refuses(p.stream.ID)
	if !known {
		s.reader.beginAt(p.stream.ID, p.Start)
	}
	s.disputes.refuse(p.stream.ID, why)
	s.disputes.skip(s.window.forget(p.stream))
	if !known {
		s.cfg.Log.Error("collector rejected a log, will retry", "path", p.stream.Path, "range", p.Range.String(), "reason", why)
	}
}

// beat sends a heartbeat at each interval.
func (s *session) beat(ctx context.Context) error {
	ticker := time.NewTicker(s.cfg.Heartbeat)
	defer ticker.Stop()
	for {
		if err := s.heartbeat(ctx); err != nil {
			return err
		}
		if s.cfg.Now().Sub(s.began) > refusedAgain && s.disputes.refusing() {
			return errAgain
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heartbeat sends the state of this host, and handles the positions and the directive in the reply.
func (s *session) heartbeat(ctx context.Context) error {
	// Taken before the call: what is acknowledged now is synced at the collector, whatever is in
	// flight.
	spans := s.window.spans()
	if err := s.settleLosses(ctx); err != nil {
		return err
	}
	counters := map[string]int64{protocol.FirstChoice: 0}
	if s.preferred {
		counters[protocol.FirstChoice] = 1
	}
	if s.departure.begun() {
		counters[protocol.Leaving] = 1
	}
	d, err := s.reporter.report(ctx, s.client, counters)
	if err != nil {
		return err
	}
	s.pacing.obey(d)
	if s.claims.readsAgain(s.window, s.cfg.Checkpoint) {
		return errAgain
	}
	for _, p := range d.Positions {
		if s.beyond(p) {
			return errAgain
		}
		s.stored(p)
		if x, ok := spans[p.Stream]; ok && p.Received < x.acked && !s.disputes.refuses(p.Stream) {
			return errAgain
		}
	}
	return nil
}
