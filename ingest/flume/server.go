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

// Receiver takes the events of one connection.
type Receiver interface {
	// Receive is called with one request after another; as long as it blocks nothing
	// further is begun. The events are valid until wait has returned, which is called
	// beside other requests: nil is answered with OK, so the events must be safe
	// then. An error of either is the answer; the sink writes it into its log, and
	// sends the same events again on another connection, as it does after FAILED.
	Receive(ctx context.Context, events *Events) (wait func(context.Context) error, err error)
	// Close is called once, after every request.
	Close()
}

// Service serves Flume's Avro sinks; open is called for each connection.
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

// Begin is for avrorpc.
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
