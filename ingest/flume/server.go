package flume

import (
	"context"
	"fmt"

	"sluice/ingest/avrorpc"
)

const (
	statusOK = 0
	statuses = 3 // OK, FAILED, UNKNOWN
)

// Receiver receives the events of one connection.
type Receiver interface {
	// Receive is called with one request after another; while it blocks no other is begun. The
	// events are valid until Receive has returned. wait is called concurrently with other requests; if
	// it returns nil the reply is OK, so the events must be durable then. An error of either is the
	// reply: the sink logs it, and sends the same events again on another connection, as after
	// FAILED.
	Receive(ctx context.Context, events *Events) (wait func(context.Context) error, err error)
	// Close is called once, after every request.
	Close()
}

// Service returns the service for Flume's Avro sinks; open is called for each connection.
func Service(open func(ctx context.Context, peer avrorpc.Peer) (Receiver, error)) avrorpc.Service {
	return avrorpc.Service{Protocol: Protocol(), Open: func(ctx context.Context, peer avrorpc.Peer) (avrorpc.Session, error) {
		receiver, err := open(ctx, peer)
		if err != nil {
			return nil, err
		}
		return session{receiver}, nil
	}}
}

type session struct{ Receiver }

// Begin implements avrorpc.Session.
func (s session) Begin(ctx context.Context, c *avrorpc.Call) (avrorpc.Finisher, error) {
	if c.Message != "append" && c.Message != "appendBatch" {
		return nil, fmt.Errorf("AvroSourceProtocol has no message %q", c.Message)
	}
	events, err := newEvents(c.Params, c.Message == "append")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", avrorpc.ErrHangUp, err)
	}
	wait, err := s.Receive(ctx, events)
	if err != nil {
		return nil, err
	}
	return avrorpc.FinishFunc(func(ctx context.Context, reply []byte) ([]byte, error) {
		if err := wait(ctx); err != nil {
			return nil, err
		}
		return avrorpc.AppendLong(reply, statusOK), nil
	}), nil
}
